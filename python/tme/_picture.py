"""A picture of a graph where Graphviz, which draws better ones, is not installed: boxes in layers, each below its operands."""

from __future__ import annotations

import html
import re

_NODE = re.compile(r'^\s*(\w+) \[label="((?:[^"\\]|\\.)*)"')
_EDGE = re.compile(r"^\s*(\w+) -> (\w+);")
_GLYPH, _LINE, _GAP, _MARGIN = 7.5, 16, 34, 8  # pixels: a character, a line, between layers, around


class _Box:
    def __init__(self, label: str) -> None:
        self.lines = label.replace('\\"', '"').split("\\n")
        self.width = max(len(line) for line in self.lines) * _GLYPH + 16
        self.height = len(self.lines) * _LINE + 10
        self.operands: list[_Box] = []
        self.layer = 0
        self.x = self.y = 0.0


def _parse(dot: str) -> list[_Box]:
    boxes: dict[str, _Box] = {}
    for line in dot.splitlines():
        if node := _NODE.match(line):
            boxes[node[1]] = _Box(node[2])
        elif edge := _EDGE.match(line):
            boxes[edge[2]].operands.append(boxes[edge[1]])
    return list(boxes.values())


def _layers(boxes: list[_Box]) -> list[list[_Box]]:
    """Operands come before what is made of them, in the list and in the layers."""
    layers: list[list[_Box]] = []
    for box in boxes:
        box.layer = 1 + max((operand.layer for operand in box.operands), default=-1)
        layers.extend([] for _ in range(box.layer + 1 - len(layers)))
        layers[box.layer].append(box)
    return layers


def _place(layers: list[list[_Box]]) -> tuple[float, float]:
    """Below the middle of the operands, as far as there is room. Returns the width and height of all."""
    top, right = float(_MARGIN), 0.0
    for layer in layers:
        for box in layer:
            if box.operands:
                box.x = sum(o.x + o.width / 2 for o in box.operands) / len(box.operands) - box.width / 2
        left = float(_MARGIN)
        for box in sorted(layer, key=lambda box: box.x):
            box.x, box.y = max(box.x, left), top
            left = box.x + box.width + 2 * _MARGIN
        right = max(right, left)
        top += max(box.height for box in layer) + _GAP
    return right, top - _GAP + _MARGIN


def _arrow(operand: _Box, box: _Box) -> str:
    x, y = operand.x + operand.width / 2, operand.y + operand.height
    to, down = box.x + box.width / 2, box.y
    middle = (y + down) / 2
    return f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to:.0f} {middle:.0f} {to:.0f} {down:.0f}"/>'


def _shape(box: _Box) -> str:
    text = "".join(
        f'<text x="{box.x + box.width / 2:.0f}" y="{box.y + 17 + i * _LINE:.0f}">{html.escape(line)}</text>'
        for i, line in enumerate(box.lines)
    )
    corners = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}"'
    return f"<rect {corners}/>{text}"


def svg(dot: str) -> str:
    """The graph that `dot` describes, in the language that Plan.dot() gives."""
    boxes = _parse(dot)
    width, height = _place(_layers(boxes))
    arrows = "".join(_arrow(operand, box) for box in boxes for operand in box.operands)
    shapes = "".join(_shape(box) for box in boxes)
    style = "rect{fill:#fff;stroke:#333}path{fill:none;stroke:#888}text{font:12px monospace;text-anchor:middle;fill:#000}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}">'
        f"<style>{style}</style>{arrows}{shapes}</svg>"
    )
