"""Audit a model with every focus and write one report: `python examples/audit.py [MODEL]`."""

import sys

import gadfly

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "gadfly/smollm2"
    audit = gadfly.audit(name, cases=20)
    print(audit.report.verdict)
    for row in audit.report.sections[0].rows:
        print(f"{row.focus}: {row.rate}")
    print("The whole report:", audit.write("report.html"))
