"""Sequence charts of a task, as whole texts; what is drawn at the edges of a pause and of a label."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from click.testing import Result
from render_sample import Sample, at, capture, failing_job, golden

from dissector.errors import UsageError
from dissector.render.charts.languages import LANGUAGES
from dissector.render.charts.lines import PAUSE, Arrow, Line, Note, Wait, chart_lines
from dissector.render.charts.view import ChartView
from dissector.render.steps import LadderStep, Lane
from dissector.render.terminal import Terminal
from dissector.render.words import Said
from dissector.wire.masking import Mask

_LABEL = 70


def drawn(language: str, events: Iterable[Any], **options: bool) -> str:
    out = io.StringIO()
    view = ChartView(Terminal(out), Mask(), LANGUAGES[language], **options)
    for event in events:
        view.add(event)
    view.close([capture()], 1)
    return out.getvalue()


def lines_of(*steps: LadderStep, full: bool = False) -> list[Line]:
    return list(chart_lines(steps, (), full=full))


@pytest.mark.parametrize("language", LANGUAGES)
def test_whole_chart(language: str) -> None:
    assert drawn(language, failing_job().events) == golden(f"chart_{language}")


def test_options() -> None:
    assert "get_ids_of_names" not in drawn("mscgen", failing_job().events)
    assert "get_ids_of_names" in drawn("mscgen", failing_job().events, verbose=True)
    assert "echo failing" not in drawn("plantuml", failing_job().events)
    assert "echo failing" in drawn("plantuml", failing_job().events, full=True)


def test_one_task_only() -> None:
    """:raises UsageError: says how many there are."""
    with pytest.raises(UsageError, match=r"^2 tasks: a mermaid chart is of one task; choose it with --task N$"):
        drawn("mermaid", [*failing_job().events, *Sample().events])
    with pytest.raises(UsageError, match=r"^none of 1 task matches: a mscgen chart"):
        drawn("mscgen", [])


def _step(time: int, label: str = "x", **more: Any) -> LadderStep:
    return LadderStep(time, (7,), label, **{"source": Lane.CLIENT, "target": Lane.REMOTE, **more})


def test_a_pause_of_a_second_is_drawn() -> None:
    assert [type(line) for line in lines_of(_step(0), _step(PAUSE - 1))] == [Arrow, Arrow]
    assert lines_of(_step(0), _step(PAUSE))[1] == Wait("1 s")


def test_a_long_label_is_cut() -> None:
    fits = lines_of(_step(0, "y" * _LABEL))[0]
    cut = lines_of(_step(0, "y" * (_LABEL + 1)))[0]
    whole = lines_of(_step(0, "y" * (_LABEL + 1)), full=True)[0]
    assert [line.text for line in (fits, cut, whole)] == [
        f"[7] {'y' * _LABEL}",
        f"[7] {'y' * (_LABEL - 1)}…",
        f"[7] {'y' * (_LABEL + 1)}",
    ]


def test_kinds_of_arrows() -> None:
    steps = [_step(0, line="dashed"), _step(1, half="end"), _step(2, line="double"), _step(3)]
    assert [line.kind for line in lines_of(*steps) if isinstance(line, Arrow)] == ["lost", "lost", "open", "call"]


def test_a_step_with_a_latency_has_an_answer() -> None:
    there, back = lines_of(_step(0, "ask", said=Said("no", failed=True), latency=5_000_000))
    assert there == Arrow(Lane.CLIENT, Lane.REMOTE, "[7] ask", "call", False)
    assert back == Arrow(Lane.REMOTE, Lane.CLIENT, "no  (5 ms)", "answer", True)


def test_a_remark_is_a_note() -> None:
    remark = LadderStep(at(0), (9,), "the client gives up", style="error")
    assert lines_of(remark) == [Note("[9] the client gives up", True)]


def test_from_the_command_line(jstrace: Callable[..., Result], captures: Any) -> None:
    done = jstrace("read", captures / "engine_ten_tasks.pcap", "--task", 3, "--format", "mermaid")
    assert done.exit_code == 0
    assert done.stdout.startswith("sequenceDiagram\n")
    many = jstrace("read", captures / "engine_ten_tasks.pcap", "--format", "mermaid")
    assert (many.exit_code, many.stdout) == (2, "")
    assert many.stderr == "jstrace: 10 tasks: a mermaid chart is of one task; choose it with --task N\n"
    wrong = jstrace("read", captures / "engine_ten_tasks.pcap", "--task", 1, "--format", "mscgen", "--log")
    assert wrong.exit_code == 2
    assert "--log has no effect on --format mscgen" in wrong.stderr
