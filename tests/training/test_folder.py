"""A training on disk: what is in its folder, what is not, and what a kill leaves behind."""

import gc
import json
import pickletools
import resource
from contextlib import contextmanager

import pytest

from gadfly.errors import InputError, StoreError
from gadfly.training import Demonstration, Folder, Supervision, supervise
from tiny_models import tiny_model

SPEC = {"method": "sft", "rank": 4}


@contextmanager
def a_disk_with(left):
    """No file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def is_pickle(content: bytes) -> bool:
    """Whether it reads as one from its first byte to a STOP; an archive (`PK`) may hold some."""
    try:
        return content.startswith(b"PK") or bool(list(pickletools.genops(content)))
    except ValueError:
        return False


def test_a_folder_holds_json_safetensors_and_a_readme_and_no_pickle(tmp_path):
    path = supervise(
        tiny_model(), [Demonstration("a", "b")] * 4, tmp_path / "it", Supervision(save_every=2)
    ).path
    files = [file for file in path.rglob("*") if file.is_file() and file.name != ".lock"]
    assert {file.suffix for file in files} == {".json", ".jsonl", ".safetensors", ".md"}
    assert {file.parent.name for file in files} == {"it", "checkpoint-2", "checkpoint-3"}
    assert not [file for file in files if is_pickle(file.read_bytes())]


def test_a_half_written_checkpoint_is_ignored_and_swept_away(tmp_path):
    folder = Folder.open(tmp_path / "it", SPEC)
    for name in ("checkpoint-2", "checkpoint-10", "checkpoint-12.part"):
        (folder.checkpoints / name).mkdir(parents=True)
    assert folder.last_checkpoint.name == "checkpoint-10"
    folder.forget_old_checkpoints()
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["checkpoint-10", "checkpoint-2"]


def test_two_whole_checkpoints_are_kept(tmp_path):
    folder = Folder.open(tmp_path / "it", SPEC)
    for step in (2, 4, 10):
        (folder.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
    folder.forget_old_checkpoints()
    assert {path.name for path in folder.checkpoints.iterdir()} == {"checkpoint-4", "checkpoint-10"}


def test_lines_after_the_last_checkpoint_are_cut_off_and_half_a_line_with_them(tmp_path):
    folder = Folder.open(tmp_path / "it", SPEC)
    folder.append("curve", [{"step": step} for step in (1, 2, 3)])
    with (folder.path / "curve.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [row["step"] for row in folder.read("curve")] == [1, 2, 3]
    folder.rewind(2)
    assert (folder.path / "curve.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_half_a_line_spoils_no_line_after_it(tmp_path):
    folder = Folder.open(tmp_path / "it", SPEC)
    folder.append("curve", [{"step": 1}])
    with (folder.path / "curve.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    folder.append("curve", [{"step": 2}])
    assert [row["step"] for row in folder.read("curve")] == [1, 2]


def test_the_same_training_is_opened_again_and_another_is_refused(tmp_path):
    Folder.open(tmp_path / "it", SPEC).append("curve", [{"step": 1}])
    assert Folder.open(tmp_path / "it", SPEC).info["spec"] == SPEC
    with pytest.raises(InputError, match=r"another training \(rank was 4\); name another --output"):
        Folder.open(tmp_path / "it", SPEC | {"rank": 8})


def test_a_training_has_begun_where_one_of_its_parts_has(tmp_path):
    Folder.open(tmp_path / "it", SPEC)
    part = Folder.open(tmp_path / "it" / "iteration-1", {"data": "a hash"})
    assert not Folder(tmp_path / "it").begun
    part.append("curve", [{"step": 1}])
    with pytest.raises(InputError, match="rank was 4"):
        Folder.open(tmp_path / "it", SPEC | {"rank": 8})
    assert Folder(tmp_path / "it").info["spec"] == SPEC


def test_what_tells_two_trainings_apart_is_named_however_deep_it_lies(tmp_path):
    def spec(words, seats=("first",)):
        step = {"who": list(seats), "does": "argue", "words": words}
        return {"task": {"protocol": {"about": "x" * 200, "round": [step]}, "opponent": None}}

    Folder.open(tmp_path / "it", spec(90)).append("curve", [{"step": 1}])
    with pytest.raises(InputError, match=r"training \(task\.protocol\.round\.0\.words was 90\)"):
        Folder.open(tmp_path / "it", spec(60))
    with pytest.raises(InputError, match=r"training \(task\.protocol\.round\.0\.who was \[\"first\"\]\)"):
        Folder.open(tmp_path / "it", spec(90, ("first", "second")))
    with pytest.raises(InputError, match=r"training \(task\.opponent was null\)"):
        Folder.open(tmp_path / "it", {"task": {**spec(90)["task"], "opponent": "best"}})


def test_what_was_refused_before_its_first_step_may_be_corrected_in_the_same_directory(tmp_path):
    said, output = [Demonstration("a", "b")], tmp_path / "it"
    with pytest.raises(InputError, match="There is no adapter in"):
        supervise(tiny_model(), said, output, start=tmp_path / "nowhere")
    assert supervise(tiny_model(), said, output, Supervision(epochs=1)).path == output
    assert Folder(output).info["spec"]["start"] == ""


def test_a_training_that_another_process_is_beginning_is_not_corrected(tmp_path):
    with Folder.open(tmp_path / "it", SPEC).lock(), pytest.raises(InputError, match="Another process"):
        Folder.open(tmp_path / "it", SPEC | {"rank": 8})
    assert Folder(tmp_path / "it").info["spec"] == SPEC


def test_a_directory_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something that is no training"):
        Folder.open(tmp_path, SPEC)


def test_two_processes_do_not_train_in_one_directory(tmp_path):
    first, second = (Folder.open(tmp_path / "it", SPEC) for _ in range(2))
    with first.lock(), pytest.raises(InputError, match="Another process is training in"):
        second.lock()


def test_one_that_is_over_lets_go_of_its_directory(tmp_path):
    folder = Folder.open(tmp_path / "it", SPEC)
    gc.disable()
    try:
        with folder.lock() as held:
            assert held.is_locked
        assert not held.is_locked
    finally:
        gc.enable()


def test_a_training_killed_while_it_was_opened_is_opened_again(tmp_path):
    (tmp_path / "training.tmp").write_text('{"spec": ')
    (tmp_path / ".lock").touch()
    assert Folder.open(tmp_path, SPEC).info["spec"] == SPEC


def test_a_full_disk_is_a_sentence_and_leaves_what_was_there(tmp_path):
    with a_disk_with(10), pytest.raises(StoreError, match=r"cannot be written \(File too large\); mend that"):
        Folder.open(tmp_path / "it", SPEC)
    folder = Folder.open(tmp_path / "it", SPEC)
    folder.append("curve", [{"step": 1}, {"step": 2}])
    for write in (
        lambda: folder.note(steps=3),
        lambda: folder.append("curve", [{"step": 3}]),
        lambda: folder.rewind(1),
    ):
        with a_disk_with(10), pytest.raises(StoreError):
            write()
    assert "steps" not in folder.info and len(list(folder.read("curve"))) == 2
    assert not list(folder.path.glob("*.tmp"))


def test_a_checkpoint_that_finds_the_disk_full_is_a_sentence_too(tmp_path):
    said, how = [Demonstration("a", "b")] * 4, Supervision(save_every=1)
    with a_disk_with(6_000), pytest.raises(StoreError, match="cannot be written"):
        supervise(tiny_model(), said, tmp_path / "it", how)
    assert Folder(tmp_path / "it").last_checkpoint is None
    assert supervise(tiny_model(), said, tmp_path / "it", how).curve


def test_it_is_done_when_it_says_so_and_its_adapter_is_there(tmp_path):
    folder = Folder.open(tmp_path / "it", SPEC)
    folder.note(status="complete")
    assert not folder.done
    (folder.path / "adapter_model.safetensors").touch()
    assert folder.done
    assert json.loads((folder.path / "training.json").read_text())["spec"] == SPEC
