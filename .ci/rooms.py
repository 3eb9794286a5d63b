"""Print the rooms of ferbench (packages and modules directly in it), the arrows (imports) between them, and circles.

make rooms
"""

from __future__ import annotations

import grimp

ROOT = "ferbench"


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def arrows(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """(importing room, imported room). Imports of `ferbench` itself, the facade of public names, are left out."""
    pairs = {(room(m), room(i)) for m in graph.modules for i in graph.find_modules_directly_imported_by(m)}
    return {(a, b) for a, b in pairs if a != b and ROOT not in (a, b)}


def reachable(start: str, found: set[tuple[str, str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        new = {b for a, b in found if a == here} - seen
        seen |= new
        waiting += new
    return seen


def main() -> None:
    graph = grimp.build_graph(ROOT, cache_dir=None)
    rooms = sorted(graph.find_children(ROOT))
    found = arrows(graph)
    for name in rooms:
        print(
            f"{name.partition('.')[2]:<12} -> {', '.join(sorted(b.partition('.')[2] for a, b in found if a == name))}"
        )
    circles = [name.partition(".")[2] for name in rooms if name in reachable(name, found)]
    print(f"{len(rooms)} rooms, {len(found)} arrows, {f'circles through {circles}' if circles else 'no circle'}")


if __name__ == "__main__":
    main()
