"""Where services' time goes, as a picture: `python -m tests.bench.profile profile.svg dispatcher-svc=stacks.raw …`

The stacks are from `py-spy record -f raw -o stacks.raw -p PID`. A sample counts for the module of its innermost frame
that is not of the standard library; what is left is the event loop with its system calls.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

ROW, HEAD, LABEL, BAR = 20, 34, 300, 420
MOST_ROWS = 12
LOOP = "event loop and system calls"
PACKAGES = (
    "aiokafka",
    "asyncpg",
    "mqtt5",
    "msgspec",
    "prometheus_client",
    "uvicorn",
    "fastapi",
    "starlette",
    "structlog",
)
OWN = ("pulse/", "campaign_svc/", "dispatcher_svc/", "status_ingest_svc/", "catalog_svc/")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2937 } .head { font-weight: 600; font-size: 14px }
.own { fill: #2563eb } .library { fill: #9ca3af } .paper { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .own { fill: #60a5fa } .library { fill: #6b7280 }
  .paper { fill: #0f172a } }
"""


def shares(lines: Iterable[str]) -> list[tuple[str, float]]:
    """The largest parts first, each as a share of all samples; start-up (imports) is left out."""
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        if "_find_and_load" not in stack:
            found[_part(stack.split(";"))] += int(samples)
    return [(part, samples / found.total()) for part, samples in found.most_common(MOST_ROWS)]


def _part(frames: list[str]) -> str:
    """A frame reads `function (path/of/module.py:12)`."""
    for frame in reversed(frames):
        path = frame.rpartition("(")[2].partition(":")[0]
        if path.startswith(OWN):
            if path.endswith(("process.py", "__main__.py")):
                break
            return path.replace("pulse/runtime/mqtt/", "mqtt/").removesuffix(".py")
        library = path.partition("/")[0]
        if library in PACKAGES:
            return library
    return LOOP


def picture(profiles: dict[str, list[tuple[str, float]]]) -> str:
    """A block of bars for each service."""
    blocks, y = [], 0
    for service, parts in profiles.items():
        blocks.append(f'<text class="head" x="12" y="{y + 22}">{escape(service)}</text>')
        for number, (part, share) in enumerate(parts):
            top = y + HEAD + ROW * number
            kind = "own" if "/" in part else "library"
            blocks.append(
                f'<text x="12" y="{top + 12}">{escape(part)}</text>'
                f'<rect class="{kind}" x="{LABEL}" y="{top + 2}" width="{share * BAR:.1f}" height="12" rx="2"/>'
                f'<text x="{LABEL + share * BAR + 8:.1f}" y="{top + 12}">{share:.0%}</text>'
            )
        y += HEAD + ROW * len(parts) + 10
    width = LABEL + BAR + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}">'
        f'<style>{STYLE}</style><rect class="paper" width="{width}" height="{y}"/>{"".join(blocks)}</svg>\n'
    )


def main() -> None:
    out, *given = sys.argv[1:]
    files = dict(pair.split("=", 1) for pair in given)
    found = {service: shares(Path(file).read_text("utf-8").splitlines()) for service, file in files.items()}
    Path(out).write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
