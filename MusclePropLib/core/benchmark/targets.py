"""What the benchmark was made to answer: MuscleProp against the best single rival, question by question."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from MusclePropLib.core.benchmark.layouts import LAYOUTS, shown
from MusclePropLib.core.benchmark.report import section, with_bounds
from MusclePropLib.core.benchmark.results import ALL, OURS, Results, lead
from MusclePropLib.core.benchmark.statistics import over_cases, per_draw
from MusclePropLib.core.rivals import RIVALS

ALONE = "muscleprop-no-negatives"
VOLUME_SLICES = 5
MOST_PERCENT, MOST_ML = 3.0, 4.0


def leads(results: Results) -> str:
    """Dice, HD95 and volume error beside those of the best single rival."""
    lines = []
    for kind, layout, count in _places(results):
        dice = results.values(kind, layout, count, OURS, "dice")
        rival = results.best_rival(kind, layout, count, dice, "dice")
        if rival is None:
            continue
        shape, volume = (_beside(results, kind, layout, count, *how) for how in (_HD95, _VOLUME))
        place = [kind, shown(layout), str(count), str(len({case for case, _ in dice}))]
        ours, theirs = (with_bounds(over_cases(v), ".3f") for v in (dice, rival.values))
        by = with_bounds(lead(dice, rival.values), "+.3f")
        lines.append([*place, ours, f"{theirs} {rival.method}", by, shape, volume])
    header = ["kind", "layout", "slices", "cases", "Dice", "best rival's", "lead", "HD95 mm", "volume error %"]
    words = """Means over the cases with bootstrap 95 % intervals over cases and seeds; the lead is paired, case by
case. The best rival is the single one with the best mean at that place; for HD95 and for the size of the muscle's
volume error it is sought anew, and its figure stands after "against". A rival that lacks the figure for a case, since
it found nothing there or was not measured, is out of the running."""
    return section("MuscleProp against the best single rival", words, header, lines)


_HD95 = ("hd95_mm", False, ".1f")
_VOLUME = ("muscle_error_percent", True, ".1f")


def _beside(results: Results, kind: str, layout: str, count: int, figure: str, size: bool, form: str) -> str:
    """Ours against the lowest rival's, with the difference in per cent of it."""
    ours = results.values(kind, layout, count, OURS, figure, size=size)
    rival = results.best_rival(kind, layout, count, ours, figure, -1, size=size)
    text = with_bounds(over_cases(ours), form)
    if rival is None:
        return text
    mine, theirs = over_cases(ours), over_cases(rival.values)
    change = f", {100 * (mine.mean / theirs.mean - 1):+.0f} %" if theirs.mean else ""
    return f"{text} against {with_bounds(theirs, form)} {rival.method}{change}"


def twice_as_many(results: Results) -> str:
    """Whether n slices do what the best rival needs 2n for."""
    lines = []
    for kind, layout, count in _places(results):
        if layout != "equal":
            continue
        ours = results.values(kind, layout, count, OURS, "dice")
        rival = results.best_rival(kind, layout, 2 * count, ours, "dice")
        if rival:
            mine, theirs = over_cases(ours), over_cases(rival.values)
            cells = [with_bounds(mine, ".3f"), f"{with_bounds(theirs, '.3f')} {rival.method}"]
            lines.append([kind, str(count), *cells, with_bounds(lead(ours, rival.values), "+.3f")])
    header = ["kind", "n", "Dice with n", "best rival's with 2n", "difference"]
    words = "Layout equal. Only quick rivals were measured at 6, 10 and 18 slices."
    return section("Half as many slices as the best rival", words, header, lines)


def worst_cases(results: Results) -> str:
    """The lead over whichever rival is best on that very case."""
    real = sorted({row["case"] for row in results.rows if row["kind"] == "real"})
    places = {(lay, n): {} for kind in results.kinds() for lay in LAYOUTS for n in results.counts(kind, lay)}
    for row in results.rows:
        if row["method"] == OURS and row["status"] == "done" and (best := results.best_of_case(row)):
            ours = next(iter(per_draw([row], "dice").values()))
            found = places[row["layout"], row["slices"]].setdefault((row["kind"], row["case"]), [])
            found.append((ours - best[1], best[0]))
    lines = []
    for (layout, count), found in sorted(places.items(), key=lambda item: ([*LAYOUTS].index(item[0][0]), item[0][1])):
        cells = [_worst(found.get(("real", case), [])) for case in real]
        others = [leads for (kind, _), leads in found.items() if kind != "real"]
        behind = sum(min(leads)[0] < -0.01 for leads in others)
        cells += [_worst([lead for leads in others for lead in leads]), f"{behind} of {len(others)}"]
        lines.append([shown(layout), str(count), *cells])
    words = """Dice less that of the rival which is best on that very case, the worst of the seeds. A rival picked for
each case by its truth is more than any user has."""
    header = ["layout", "slices", *real, "worst calf", "calves behind by more than .01"]
    return section("Worst cases", words, header, lines)


def _worst(found: list[tuple[float, str]]) -> str:
    return f"{min(found)[0]:+.3f} {min(found)[1]}" if found else ""


def calf_volumes(results: Results) -> str:
    """Volume errors of each muscle with few slices."""
    lines = []
    for method in results.methods("calves", "equal"):
        rows = results.at("calves", "equal", VOLUME_SLICES, method)
        errors = {m: list(_volume_errors(rows, m)) for m in dict.fromkeys(m for row in rows for m in row["scores"])}
        if not any(errors.values()):
            continue
        cells = [_error_cell(found) for found in errors.values()]
        both = [abs(p) <= MOST_PERCENT and abs(ml) <= MOST_ML for found in errors.values() for p, ml in found]
        lines.append([RIVALS[method].title, *cells, f"{sum(both)} of {len(both)}"])
    muscles = next((list(r["scores"]) for r in results.rows if r["kind"] == "calves" and r["status"] == "done"), [])
    words = f"""Simulated calves, {VOLUME_SLICES} drawn slices, layout equal: error of the whole muscle's volume, mean
of its size (largest; mean with its sign), in per cent and in ml. The last column counts the muscles within
{MOST_PERCENT:.0f} % and {MOST_ML:.0f} ml."""
    return section("Volumes of calves", words, ["method", *muscles, "within both"], lines)


def _volume_errors(rows: list[dict], muscle: str) -> Iterator[tuple[float, float]]:
    """(per cent, ml) of each case."""
    for row in rows:
        scores = row["scores"][muscle]
        if scores["muscle_error_percent"] is not None:
            yield scores["muscle_error_percent"], scores["muscle_error_percent"] * scores["muscle_ml"] / 100


def _error_cell(errors: list[tuple[float, float]]) -> str:
    texts = []
    for values, unit in zip(zip(*errors, strict=True), ("%", "ml"), strict=True):
        sizes = [abs(value) for value in values]
        mean, bias = sum(sizes) / len(sizes), sum(values) / len(values)
        texts.append(f"{mean:.1f} ({max(sizes):.1f}; {bias:+.1f}) {unit}")
    return ", ".join(texts)


def extrapolation(results: Results) -> str:
    """Dice on the slices beyond the drawn ones alone."""
    lines = []
    for kind, layout, count in _places(results):
        if layout not in ("partial", "middle"):
            continue
        ours = results.values(kind, layout, count, OURS, "beyond_dice")
        rival = results.best_rival(kind, layout, count, ours, "beyond_dice")
        if rival:
            mine, theirs = (with_bounds(over_cases(v), ".3f") for v in (ours, rival.values))
            by = with_bounds(lead(ours, rival.values), "+.3f")
            lines.append([kind, shown(layout), str(count), mine, f"{theirs} {rival.method}", by])
    words = "Dice over the slices before the first and after the last drawn slice of each muscle."
    header = ["kind", "layout", "slices", "Dice beyond", "best rival's", "lead"]
    return section("Beyond the drawn slices", words, header, lines)


def left_out(results: Results) -> str:
    """What incomplete annotation costs, with negative evidence and without."""
    lines = []
    for kind, layout, count in _places(results):
        if layout not in ("incomplete", "half"):
            continue
        complete, thinned = _pair(results, kind, layout, count, OURS)
        cells = [with_bounds(over_cases(values), ".3f") for values in (complete, thinned)]
        cost = with_bounds(lead(thinned, complete), "+.3f")
        without = with_bounds(lead(*reversed(_pair(results, kind, layout, count, ALONE))), "+.3f")
        lines.append([kind, layout, str(count), *cells, cost, without])
    header = ["kind", "layout", "slices", "Dice, complete", "Dice, muscles left out", "difference", "the same alone"]
    words = """The same places are drawn completely (layout equal) and with muscles left out; on what is left out the
other muscles are the only evidence. The last column is the difference when each muscle is propagated by itself, without
negative evidence."""
    return section("Muscles left out", words, header, lines)


def _pair(results: Results, kind: str, layout: str, count: int, method: str) -> list[dict]:
    """Dice with complete annotation and with `layout`."""
    return [results.values(kind, lay, count, method, "dice") for lay in ("equal", layout)]


def negatives(results: Results) -> str:
    """What negative evidence is worth."""
    lines = []
    for kind, layout, count in _places(results):
        ours, alone = (results.values(kind, layout, count, method, "dice") for method in (OURS, ALONE))
        shared = {draw: value for draw, value in ours.items() if draw in alone}
        if shared:
            cells = [with_bounds(over_cases(v), ".3f") for v in (shared, alone)]
            lines.append([kind, shown(layout), str(count), *cells, with_bounds(lead(alone, shared), "+.3f")])
    header = ["kind", "layout", "slices", "Dice", "each muscle by itself", "difference"]
    words = "Cases with several muscles. By itself, a muscle knows nothing of where the others were drawn."
    return section("Without negative evidence", words, header, lines)


def _places(results: Results) -> Iterator[tuple[str, str, int]]:
    """(kind, layout, number of slices) that MuscleProp was measured at; ALL only where several kinds were."""
    for kind in results.kinds():
        for layout in LAYOUTS:
            for count in results.counts(kind, layout):
                if kind != ALL or len({row["kind"] for row in results.at(kind, layout, count)}) > 1:
                    yield kind, layout, count


SECTIONS: tuple[Callable[[Results], str], ...] = (
    leads,
    twice_as_many,
    worst_cases,
    calf_volumes,
    extrapolation,
    left_out,
    negatives,
)
