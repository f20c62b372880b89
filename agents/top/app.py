"""TopApp: the full screen. Its panes stand side by side where there is room, else one is shown at a time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.widgets import Footer, Input, Static

from agents.cli.shown_letters import plain
from agents.cli.shown_task import no_trace, shown
from agents.cli.task_life import life_of
from agents.core.exit_codes import ExitCode
from agents.top.agent_rows import AgentRow
from agents.top.alarm_lines import alarm_lines
from agents.top.columns import AGENTS, HOSTS, RESULTS, SERVERS
from agents.top.host_rows import HostRow
from agents.top.letters import Letters
from agents.top.obedience import Order, carried_out
from agents.top.order import Order as Sorting
from agents.top.pane import Pane
from agents.top.result_rows import ResultRow
from agents.top.screens import Question, Window, help_lines
from agents.top.server_rows import ServerRow
from agents.top.view import View
from agents.top.watch import Watch
from bus.errors import BusError
from schemas import PauseAgents, ResumeAgents

DRAW_SECONDS: Final = 0.25
"""Between two looks at what has come: a burst of reports is drawn once."""

WIDE, HIGH = 140, 30
"""Columns and lines from which on all panes are shown at once."""

ALARM_LINES: Final = 3
"""What is wrong beyond that is counted, where lines are few."""

ROOMY: Final = 20
"""Lines from which on so many alarms may have a second one."""

HEADER_PADDING: Final = 1
"""Cells at each side, as in top.tcss."""

REASON: Final = "by sutazai top"

_NAMES: Final = ("agents", "servers", "hosts", "results")
_ONLY: Final = {"sort": "agents", "turn": "agents", "pause": "agents", "resume": "agents", "letters": "agents"}
"""Actions that are of one pane alone."""


class TopApp(App[None]):
    """Shows what `watch` knows, which its caller has entered. Ends with the exit code of a command."""

    TITLE = "sutazai top"
    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "interrupt", "Interrupt", show=False, priority=True),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("tab", "pane(1)", "Pane", priority=True),
        Binding("shift+tab", "pane(-1)", "Pane back", show=False, priority=True),
        *(Binding(str(place + 1), f"go({place})", name, show=False) for place, name in enumerate(_NAMES)),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "unfilter", "All", show=False),
        Binding("s", "sort", "Sort"),
        Binding("S", "turn", "Turn", key_display="S"),
        Binding("p", "pause", "Pause"),
        Binding("r", "resume", "Resume"),
        Binding("d", "letters", "Dead"),
        Binding("enter", "open", "Open", key_display="Enter"),
    ]

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        self._drawn: tuple[int, int] | None = None
        self._order = Sorting()
        self._current = 0
        self._agents = Pane[AgentRow]("Agents", "agents", AGENTS, lambda row: row.name)
        self._servers = Pane[ServerRow]("Model servers", "servers", SERVERS, lambda row: row.key)
        self._hosts = Pane[HostRow]("Hosts", "hosts", HOSTS, lambda row: row.name)
        self._results = Pane[ResultRow]("Results", "results", RESULTS, lambda row: row.key)
        self._header, self._alarms, self._tabs = (
            Static(id=name, markup=False) for name in ("header", "alarms", "tabs")
        )
        self._input = Input(placeholder="words; Enter keeps, Escape ends the filter", id="filter", compact=True)

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._header
        yield self._alarms
        yield self._tabs
        with Horizontal(id="panes"):
            yield self._agents
            with Vertical(id="side"):
                yield self._servers
                yield self._hosts
                yield self._results
        yield self._input
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to draw."""
        self._input.display = False
        self._go(0)
        self.set_interval(DRAW_SECONDS, self._draw_news)

    def on_resize(self, event: Resize) -> None:
        """Lay the panes out for the size of the terminal."""
        is_wide = event.size.width >= WIDE and event.size.height >= HIGH
        self.set_class(is_wide, "wide")
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """See Textual: whether an action is of the pane in focus; the footer shows those alone."""
        del parameters
        if len(self.screen_stack) > 1:
            return action == "interrupt"  # a window is open, and the other keys are its own
        pane = self._pane.id
        if action in _ONLY:
            return pane == _ONLY[action]
        return action != "open" or pane == "results"

    def action_interrupt(self) -> None:
        """Leave as after Ctrl-C."""
        self.exit(return_code=ExitCode.INTERRUPTED)

    async def action_help(self) -> None:
        """Show what the keys do."""
        await self.push_screen(Window("sutazai top", help_lines))

    def action_pane(self, by: int) -> None:
        """Go to the next pane, or the one before."""
        self._go((self._current + by) % len(_NAMES))

    def action_go(self, place: int) -> None:
        """Go to a pane."""
        self._go(place)

    def action_filter(self) -> None:
        """Let words be typed."""
        self._input.value = self._pane.filter
        self._input.display = True
        self._input.focus()

    def action_unfilter(self) -> None:
        """Show all rows of the pane."""
        self._input.display = False
        self._pane.set_filter("")
        self._pane.grid.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while words are typed."""
        if self._input.display:
            self._pane.set_filter(event.value)

    def on_input_submitted(self) -> None:
        """Keep the filter."""
        self._input.display = False
        self._pane.grid.focus()

    def action_sort(self) -> None:
        """Sort agents by the next column."""
        self._order = self._order.next()
        self._draw()

    def action_turn(self) -> None:
        """Turn the order of the agents round."""
        self._order = self._order.turned()
        self._draw()

    async def action_pause(self) -> None:
        """Ask, and pause the chosen agent."""
        if row := self._agents.row:
            await self._ask_for("Pause", row, PauseAgents(agent=row.name, reason=REASON))

    async def action_resume(self) -> None:
        """Ask, and resume the chosen agent."""
        if row := self._agents.row:
            await self._ask_for("Resume", row, ResumeAgents(agent=row.name))

    async def action_letters(self) -> None:
        """Show the dead letters of the chosen agent."""
        if row := self._agents.row:
            await self.push_screen(Letters(self._watch.client, row.name))

    async def action_open(self) -> None:
        """Show the life of the task of the chosen result."""
        row = self._results.row
        if row is None:
            return
        result = row.result

        async def lines() -> Iterable[str]:
            agents = [result.agent] if result.agent else []
            life = await life_of(self._watch.client, result.task_id, result.agent, agents)
            if life.result is None:  # a broker without a log of results
                life = replace(life, result=result)
            return list(shown(life)) or [no_trace(life)]

        await self.push_screen(Window(f"task {result.task_id}", lines))

    @property
    def _panes(self) -> tuple[Pane[Any], ...]:
        return (self._agents, self._servers, self._hosts, self._results)

    @property
    def _pane(self) -> Pane[Any]:
        return self._panes[self._current]

    def _go(self, place: int) -> None:
        self._current = place
        self._input.display = False
        for name in _NAMES:
            self.set_class(name == _NAMES[place], f"at-{name}")
        self._pane.grid.focus()
        self._draw()
        self.refresh_bindings()

    async def _ask_for(self, doing: str, row: AgentRow, order: Order) -> None:
        def answer(is_agreed: bool | None) -> None:
            if is_agreed:
                self.run_worker(self._carry_out(row, order), name=doing)

        await self.push_screen(Question(f"{doing} {row.name} on all hosts?"), answer)

    async def _carry_out(self, row: AgentRow, order: Order) -> None:
        hosts = {report.host for report in row.living}
        try:
            outcome = await carried_out(self._watch.client, order, row.name, hosts)
        except BusError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            is_done = outcome.obeyed and not outcome.silent
            self.notify(str(outcome), severity="information" if is_done else "warning", markup=False)

    def _draw_news(self) -> None:
        state = (self._watch.news, int(datetime.now(UTC).timestamp()))
        if state != self._drawn:
            self._drawn = state
            self._draw()

    def _draw(self) -> None:
        view = self._watch.view()
        self._agents.note = f"sort: {self._order}"
        self._agents.show(self._order.sorted(view.agents))
        self._servers.show(view.servers)
        self._hosts.show(view.hosts)
        self._results.show(self._watch.results)
        self._header.update(_header(self._watch, view, self.size.width - 2 * HEADER_PADDING))
        self._alarms.display = bool(view.alarms)
        most = 2 * ALARM_LINES if self.has_class("wide") else ALARM_LINES
        spare = ALARM_LINES if self.size.height >= ROOMY else 0
        self._alarms.update(alarm_lines(view.alarms, self.size.width, most=most, spare=spare))
        self._tabs.update(self._tab_line())

    def _tab_line(self) -> Text:
        line = Text()
        for place, pane in enumerate(self._panes):
            style = "reverse bold" if place == self._current else ""
            line.append(f" {place + 1} {pane.title} {pane.count} ", style=style)
        return line


def _header(watch: Watch, view: View, width: int) -> Text:
    heard = "nothing heard yet" if watch.heard_at is None else f"last report {watch.heard_at:%H:%M:%S}Z"
    return Text.assemble(("sutazai top", "bold"), f"  {heard}  {plain(watch.broker)}\n{view.totals.within(width)}")
