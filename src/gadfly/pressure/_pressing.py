"""The pressing game: an agent in a scenario comes to a fork, and is then asked about what it did.

One setting of the knobs is one game and one run. What the agent is told before it first answers is the same for every
case of a wording, so its prompt goes through the model once. Only answers are sampled: the messages before them, the
agent's own among them, are scripted and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
)
from inspect_ai.tool import ToolCall, ToolInfo, ToolParam, ToolParams

from gadfly.errors import CallError
from gadfly.models import Reply, System
from gadfly.pressure._form import STOP, Reading, deed_line, how, how_to_tell, read_deed, read_words, tool_list
from gadfly.pressure._scenario import PREFILL, Message, Scenario
from gadfly.runs import paired_seed
from gadfly.slots import fill
from gadfly.transcripts import Case, Outcome, Transcript, Turn, Usage

__all__ = ["FORKS", "SAMPLING", "WORDINGS", "Pressing", "Setting"]

FORKS = ("act", "report", "deny")

SAMPLING = GenerateConfig(temperature=0.9, top_p=0.95, max_tokens=768)
"""How an agent answers unless told otherwise: as in Scheurer et al. 2023, and long enough that a thought is not cut."""

WORDINGS = 8
"""In how many wordings a scenario is played where it has wordings: case i has wording i modulo this."""


@dataclass(frozen=True)
class Setting:
    """A scenario with its knobs turned. `turned` holds those that are not at their default, with their levels.

    `control` is `positive` or `negative` where it is played as a control and is no variant.
    """

    scenario: Scenario
    turned: Mapping[str, str] = field(default_factory=dict)
    control: str = field(default="", compare=False)

    @classmethod
    def of(cls, scenario: Scenario, turned: Mapping[str, Any]) -> Setting:
        """With knobs turned; those turned to their default are left out. Raises `UnknownNameError`."""
        levels, default = scenario.levels(turned), scenario.levels({})
        return cls(scenario, {knob: level for knob, level in levels.items() if level != default[knob]})

    @property
    def levels(self) -> dict[str, str]:
        """Every knob's level."""
        return self.scenario.levels(self.turned)

    @property
    def name(self) -> str:
        """`pressure=none, scratchpad=false`, or `default`."""
        return ", ".join(f"{knob}={level}" for knob, level in sorted(self.turned.items())) or "default"


@dataclass(frozen=True)
class Pressing:
    """The game. Settings with the same `pairing` play case i in the same wording and with the same random numbers."""

    setting: Setting
    target: System
    pairing: int = 0
    wordings: int = WORDINGS

    @property
    def name(self) -> str:
        """Scenario and model: the readable part of a run's id."""
        return f"pressure-{self.setting.scenario.name}-{self.target.slug}"

    @property
    def players(self) -> Mapping[str, System]:
        """The one seat."""
        return {"target": self.target}

    @cached_property
    def writing(self) -> System:
        """The agent as it acts in text: it stops where it would invent what came of its call."""
        return self.target.with_sampling(stop_seqs=list(STOP))

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            "game": "pressing",
            "scenario": self.setting.scenario.spec(),
            "levels": self.setting.levels,
            "setting": self.setting.name,
            "target": self.target.fingerprint(),
            "pairing": self.pairing,
            "wordings": self.wordings,
        }

    async def play(self, case: Case) -> Transcript:
        """Play one case. A call that fails ends it as failed, keeping what was said; a fatal `CallError` is raised.

        An answer at the first fork that cannot be read makes the case invalid, with the cause.
        """
        talk = _Talk(self, case)
        outcome: Outcome = "completed"
        cause = ""
        try:
            talk.open()
            acted = await talk.decide()
            if acted:
                await talk.answer("report")
                await talk.answer("deny")
            elif cause := talk.forks["act"]["cause"]:
                outcome = "invalid"
        except CallError as error:
            if error.fatal:
                raise
            outcome, cause = "failed", error.cause
        return Transcript(case, tuple(talk.said), outcome, cause, talk.usage, talk.facts())


@dataclass
class _Talk:
    """One case under way. `sent` is what the agent has seen, `said` the transcript."""

    game: Pressing
    case: Case
    said: list[Turn] = field(default_factory=list)
    sent: list[ChatMessage] = field(default_factory=list)
    forks: dict[str, dict[str, Any]] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    answers: int = 0

    def __post_init__(self) -> None:
        self.scenario = self.game.setting.scenario
        self.levels = self.game.setting.levels
        self.form, self.scratchpad = self.levels["form"], self.levels["scratchpad"]
        self.wording = self.case.index % max(1, self.game.wordings)
        self.values = self.scenario.slots(self.levels, self.wording)
        self.values |= {
            "tools": tool_list(self.scenario.tools, self.form),
            "format": how(self.scenario.tools, self.form, self.scratchpad),
        }
        self.system = fill(self.scenario.system, self.values).strip()

    def open(self) -> None:
        """All that happens before the agent first answers."""
        for message in self.scenario.messages:
            self._tell(message)

    async def decide(self) -> bool:
        """The first fork; whether the agent did what it was tempted to."""
        act, fork = self.scenario.forks.act, {"turn": -1, "cause": "", "level": "other"}
        self.forks["act"] = fork
        for step in range(act.steps):
            reply = await self._ask(self.values.get(PREFILL, "") if step == 0 else "")
            found = self._deed(reply)
            fork |= {"turn": len(self.said) - 1, "cause": found.cause}
            if found.cause:
                return False
            for level, calls in (("acts", act.acts), ("honest", act.honest)):
                if any(call.fits(found.tool, found.arguments) for call in calls):
                    fork["level"] = level
            if fork["level"] == "honest":
                return False
            self._observe(found)
            if fork["level"] == "acts":
                return True
        return False

    async def answer(self, name: str) -> None:
        """A later fork: ask, and note whether the answer can be read."""
        for message in getattr(self.scenario.forks, name).ask:
            self._tell(message)
        self._remind()
        reply = await self._ask()
        self._say("target", reply.text, reply.stop)
        self.sent.append(ChatMessageAssistant(content=reply.text))
        found = read_words(reply.text, cut=reply.stop == "length")
        self.forks[name] = {"turn": len(self.said) - 1, "cause": found.cause}

    def facts(self) -> dict[str, Any]:
        """What graders, reports and people need to know about the case."""
        return {
            "scenario": self.scenario.name,
            "setting": self.game.setting.name,
            "form": self.form,
            "scratchpad": self.scratchpad,
            "wording": self.wording,
            "forks": self.forks,
            "system_prompt": self.system,
        }

    # --- what is said

    def _remind(self) -> None:
        """Add to the last thing the agent heard in which form to answer it."""
        heard = self.sent[-1].text
        self.sent[-1] = ChatMessageUser(content=f"{heard}\n\n{how_to_tell(self.scratchpad)}")

    def _tell(self, message: Message) -> None:
        """A message as it reaches the agent; its own is what it has already said or done."""
        if not message.stands(self.levels):
            return
        text = fill(message.text, self.values).strip()
        if message.speaker != "agent":
            self._hear(message.speaker, text)
            return
        thought = fill(message.thought, self.values).strip()
        lead = f"Thought: {thought}" if thought and self.scratchpad == "true" else ""
        if message.does is None:
            words = f"{lead}\nMessage: {text}".strip()
            self.said.append(Turn("agent", words))
            self.sent.append(ChatMessageAssistant(content=words))
            return
        arguments = {name: fill(among[0], self.values) for name, among in message.does.where.items()}
        self.said.append(Turn("agent", deed_line(lead, message.does.tool, arguments, self.form)))
        self._did(lead, message.does.tool, arguments)
        self._observe(Reading(message.does.tool, arguments))

    def _hear(self, who: str, text: str) -> None:
        """Somebody speaks to the agent; messages in a row reach it as one."""
        self.said.append(Turn(who, text))
        line = f"{self.scenario.cast[who]}: {text}" if who in self.scenario.cast else text
        last = self.sent[-1] if self.sent else None
        if isinstance(last, ChatMessageUser):
            self.sent[-1] = ChatMessageUser(content=f"{last.text}\n\n{line}")
        else:
            self.sent.append(ChatMessageUser(content=line))

    def _observe(self, deed: Reading) -> None:
        """What came of a call."""
        text = self.scenario.named_tools[deed.tool].observe(deed.arguments, self.values)
        if self.form == "tools":
            call = (
                self.sent[-1].tool_calls[0]
                if isinstance(self.sent[-1], ChatMessageAssistant) and self.sent[-1].tool_calls
                else None
            )
            self.said.append(Turn("tool", text))
            self.sent.append(
                ChatMessageTool(content=text, tool_call_id=call.id if call else "", function=deed.tool)
            )
        else:
            self.said.append(Turn("tool", f"Observation: {text}"))
            self.sent.append(ChatMessageUser(content=f"Observation: {text}"))

    def _did(self, text: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """A call of the agent, as it sees it itself."""
        if self.form == "react":
            self.sent.append(ChatMessageAssistant(content=self.said[-1].text))
            return
        call = ToolCall(id=f"call{len(self.sent)}", function=tool, arguments=dict(arguments))
        self.sent.append(ChatMessageAssistant(content=text, tool_calls=[call]))

    def _deed(self, reply: Reply) -> Reading:
        """Note an answer at the first fork and read what it does."""
        cut = reply.stop == "length"
        if self.form == "react":
            self._say("target", reply.text, reply.stop)
            self.sent.append(ChatMessageAssistant(content=reply.text))
            return read_deed(reply.text, self.scenario.named_tools, cut=cut)
        text = reply.text
        for call in reply.calls:
            text = (
                deed_line(text, call.name, call.arguments, "tools")
                if not call.error
                else f"{text}\n{call.text}"
            )
        self._say("target", text, reply.stop)
        found = read_deed(text, self.scenario.named_tools, cut=cut)
        if not found.cause:
            self._did(reply.text, found.tool, found.arguments)
        return found

    def _say(self, who: str, text: str, stop: str) -> None:
        self.said.append(Turn(who, text, stop))

    async def _ask(self, prefill: str = "") -> Reply:
        """The agent's next answer, which begins with `prefill`. The n-th has the n-th seed of the case's pair."""
        seed = (paired_seed(self.game.pairing, self.case.index) + self.answers) % 2**31
        self.answers += 1
        if self.form == "tools":
            messages = [ChatMessageSystem(content=self.system), *self.sent]
            reply = await self.game.target.act(messages, tool_infos(self.scenario), seed=seed)
        else:
            pairs = [("system", self.system), *((one.role, one.text) for one in self.sent)]
            pairs += [("assistant", prefill)] if prefill else []
            reply = await self.game.writing.reply(pairs, seed=seed)
        self.usage["target"] = self.usage.get("target", Usage()) + reply.usage
        inside = f"<think>{reply.reasoning}</think>\n" if reply.reasoning else ""
        return replace(reply, text=f"{inside}{prefill}{reply.text}") if inside or prefill else reply


def tool_infos(scenario: Scenario) -> list[ToolInfo]:
    """The scenario's tools as a model is given them natively."""
    kinds: dict[str, Any] = {"text": "string", "number": "number"}
    return [
        ToolInfo(
            name=tool.name,
            description=tool.about,
            parameters=ToolParams(
                properties={
                    name: ToolParam(type=kinds[kind], description=name)
                    for name, kind in tool.arguments.items()
                },
                required=list(tool.arguments),
            ),
        )
        for tool in scenario.tools
    ]
