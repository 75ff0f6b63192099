"""Pictures as SVG in the colours of the page."""

import html
import math
import re

CHARACTER, LINE, GAP = 7.3, 16, 36


def _text(x, y, text, anchor="middle"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _picture(width, height, parts):
    style = 'font-family="monospace" font-size="12" fill="currentColor" stroke="none"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" {style}>{"".join(parts)}</svg>'
    )


def graph(dot):
    """A graph in Graphviz's language, each node below what it needs, near the middle of it."""
    labels = {name: text.split("\\n") for name, text in re.findall(r'^\s*(\w+) \[label="([^"]*)"', dot, re.M)}
    edges = [edge for edge in re.findall(r"(\w+) -> (\w+)", dot) if edge[0] in labels and edge[1] in labels]
    needs = {name: [a for a, b in edges if b == name] for name in labels}
    row = {}
    for name in labels:  # operands come before what needs them
        row[name] = 1 + max((row[a] for a in needs[name]), default=-1)
    for name in reversed(labels):  # what needs nothing stands above its reader
        readers = [row[b] for a, b in edges if a == name]
        if readers and not needs[name]:
            row[name] = min(readers) - 1

    size = {name: (CHARACTER * max(map(len, lines)) + 16, LINE * len(lines) + 10) for name, lines in labels.items()}
    middle, top, parts, y, width = {}, {}, [], 8.0, 0.0
    for number in range(max(row.values()) + 1):
        names = [name for name in labels if row[name] == number]
        wish = {name: sum(middle[a] for a in needs[name]) / len(needs[name]) if needs[name] else 0.0 for name in names}
        x = 8.0
        for name in sorted(names, key=wish.__getitem__):
            x = max(x, wish[name] - size[name][0] / 2)
            middle[name], top[name] = x + size[name][0] / 2, y
            x += size[name][0] + 24
        width = max(width, x)
        y += max(size[name][1] for name in names) + GAP
    for a, b in edges:
        begin = top[a] + size[a][1]
        parts.append(
            f'<path d="M{middle[a]:.0f},{begin:.0f} C{middle[a]:.0f},{begin + GAP / 2:.0f} '
            f'{middle[b]:.0f},{top[b] - GAP / 2:.0f} {middle[b]:.0f},{top[b]:.0f}" fill="none" stroke="currentColor" opacity=".6"/>'
        )
    for name, lines in labels.items():
        w, h = size[name]
        parts.append(
            f'<rect x="{middle[name] - w / 2:.0f}" y="{top[name]:.0f}" width="{w:.0f}" height="{h:.0f}" rx="5" '
            f'fill="currentColor" fill-opacity=".06" stroke="currentColor"/>'
        )
        parts += [_text(middle[name], top[name] + LINE * (i + 1), line) for i, line in enumerate(lines)]
    return _picture(width, y, parts)


def _number(cell):
    found = re.search(r"\d+(\.\d+)?", cell)
    return float(found.group()) if found else None


def speeds(markdown):
    """Of the first table of benchmarks: how many times as long as tme each library takes, on a scale of powers of two."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in markdown.split("\n") if line.startswith("|")]
    heading = rows[0]
    libraries = [name for name in ("NumPy", "PyTorch", "JAX", "MLX") if name in heading]
    colours = dict(zip(libraries, ("#4c78a8", "#f58518", "#54a24b", "#b279a2"), strict=False))
    one, double, bar, powers = 270, 48, 6, range(-1, 10)
    bars, y = [], 40.0
    for row in rows[2:]:
        if row[0] == "operation":
            break
        ours = _number(row[heading.index("tme")])
        times = {name: _number(row[heading.index(name)]) for name in libraries}
        if not ours or not any(times.values()):
            continue
        bars.append(_text(one - double - 8, y + bar * len(libraries) / 2 + 4, row[0], "end"))
        for name, time in times.items():
            if time:
                end = one + double * math.log2(time / ours)
                begin, long = min(one, end), max(abs(end - one), 1)
                bars.append(f'<rect x="{begin:.1f}" y="{y:.0f}" width="{long:.1f}" height="{bar - 1}" fill="{colours[name]}"/>')
            y += bar
        y += 8
    parts = []
    for i, name in enumerate(libraries):
        parts.append(f'<rect x="{one + 90 * i}" y="4" width="10" height="10" fill="{colours[name]}"/>')
        parts.append(_text(one + 90 * i + 14, 13, name, "start"))
    for power in powers:
        x = one + double * power
        parts.append(_text(x, 32, f"{2.0**power:g}x"))
        opacity = 1 if power == 0 else 0.2
        parts.append(f'<line x1="{x}" y1="36" x2="{x}" y2="{y:.0f}" stroke="currentColor" opacity="{opacity}"/>')
    return _picture(one + double * powers[-1] + 24, y + 4, [*parts, *bars])
