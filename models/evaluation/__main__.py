"""Command line of the measurements; see the package's docstring. Offline."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from models import open_engine
from models.engine.interface import Engine
from models.evaluation import measures, prompts
from models.storage.json_types import JsonObject

Measure = Callable[[Engine], JsonObject]


def measurements(pairs: Path | None, part: slice, minutes: float | None) -> dict[str, Measure]:
    """Every measurement by name; transitions only where their list is given."""
    table: dict[str, Measure] = {
        "speed": measures.speed,
        "seams": measures.seams,
        "endurance": measures.endurance,
        "tempo": measures.tempo,
        "key": measures.key,
        "density": measures.density,
        "brightness": measures.brightness,
        "stems": measures.stems,
        "guidance": _guidance,
        "prompts": prompts.prompts,
    }
    if pairs is not None:
        chosen = prompts.read_pairs(pairs)[part]
        table["transitions"] = functools.partial(prompts.transitions, pairs=chosen, minutes=minutes)
    return table


def _guidance(engine: Engine) -> JsonObject:
    from models.evaluation.guidance import guidance  # the corpus behind it needs the extra `train`

    return guidance(engine)


def main() -> int:
    """Run the named measurements, one JSON file each."""
    if sys.argv[1:2] == ["ladder"]:
        from models.evaluation.ladder.command import main as ladder

        return ladder(sys.argv[2:])
    if sys.argv[1:2] == ["tracking"]:
        from models.evaluation.tracking.command import main as tracking

        return tracking(sys.argv[2:])
    if sys.argv[1:2] == ["memory"]:
        from models.evaluation.memory import main as memory

        return memory(sys.argv[2:])
    if sys.argv[1:2] == ["style-send"]:
        from models.evaluation.style_send import main as style_send

        return style_send(sys.argv[2:])
    if sys.argv[1:2] == ["sketch"]:
        from models.evaluation.sketch import main as sketch

        return sketch(sys.argv[2:])
    parser = argparse.ArgumentParser(
        description="Measure the embedded engine.",
        epilog="'ladder', 'tracking', 'memory', 'style-send', 'sketch' are commands of their own: "
        "add --help",
    )
    parser.add_argument("names", nargs="*", help="measurements, or 'all'")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--pairs", type=Path, help="tab-separated prompt pairs for transitions")
    parser.add_argument(
        "--part", default="1/1", help="of the pairs: 2/3 takes every third from the second"
    )
    parser.add_argument("--minutes", type=float, help="begin no pair after so many minutes")
    parser.add_argument("--merge", type=Path, nargs="*", help="folders of parts of transitions")
    arguments = parser.parse_args()
    if arguments.merge:
        parts_done = [json.loads((f / "transitions.json").read_text()) for f in arguments.merge]
        figures = prompts.merged(parts_done)
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "transitions.json").write_text(json.dumps(figures, indent=1))
        prompts.draw_transitions(figures, arguments.out / "transitions.png")
        return 0
    number, parts = (int(text) for text in arguments.part.split("/"))
    table = measurements(arguments.pairs, slice(number - 1, None, parts), arguments.minutes)
    names = list(table) if arguments.names == ["all"] else arguments.names
    unknown = [name for name in names if name not in table]
    if unknown:
        parser.error(f"there is no measurement {unknown[0]}: choose from {', '.join(table)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    engine = open_engine(arguments.engine)
    for name in names:
        begin = time.monotonic()
        figures = table[name](engine)
        figures["measured_in_seconds"] = round(time.monotonic() - begin, 1)
        path = arguments.out / f"{name}.json"
        path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        short = {k: v for k, v in figures.items() if isinstance(v, int | float | str | dict)}
        print(name, json.dumps(short), flush=True)
        if name == "transitions":
            prompts.draw_transitions(figures, arguments.out / "transitions.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
