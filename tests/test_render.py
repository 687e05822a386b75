"""A tree drawn as text and as HTML, whatever a model wrote into it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from spex.ids import ROOT, Expand, NodeId, Score, child
from spex.problem import Problem
from spex.render import tree_html, tree_text
from spex.solution import Solution
from spex.tree import Step, Tree
from spex.usage import Tokens, Usage
from spex.visible import cells_of, one_line, visible

XSS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<img src=`x`onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "` onmouseover=`alert(1)",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:alert(1)"><text x="20" y="20">x</text></a>',
    "<math><mtext></p><img src onerror=alert(1)></mtext></math>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>",
    "<embed src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "javascript:alert(1)",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<style>*{background:url(https://evil.example/)}</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><button>go</button></form>",
    "</pre></details></ul><script>alert(1)</script>",
    "</summary><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<ｓcript>alert(1)</ｓcript>",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u2028<script>alert(1)</script>\u2029",
)
TERMINAL = (
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;Y3VybCBldmlsLmV4YW1wbGU=\x07",
    "\x1b]0;title\x07",
    "\x1bPq#0;2;0;0;0\x1b\\",
    "\x9b31mC1 red",
    "back\b\b\b\bspace",
    "carriage\rreturn",
    "bell\x07",
    "\u202eright to left\u202c",
    "\u2066isolate\u2069",
    "zero\u200bwidth\u200d\ufeff",
    "nul\x00del\x7f",
    "lone \ud800 surrogate",
)
TAGS = {"div", "p", "ul", "li", "details", "summary", "b", "pre"}


class Parsed(HTMLParser):
    """Tags, attributes, text and balance of a document."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.oddities: list[str] = []
        self.open: list[str] = []
        self.deepest = 0
        self.words: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)
        self.open.append(tag)
        self.deepest = max(self.deepest, self.open.count("details") if len(self.open) < 100 else len(self.open))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.oddities.append(f"unbalanced </{tag}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.oddities.append(data)

    def handle_decl(self, decl: str) -> None:
        self.oddities.append(decl)

    def handle_pi(self, data: str) -> None:
        self.oddities.append(data)

    def unknown_decl(self, data: str) -> None:
        self.oddities.append(data)


def grown(*texts: str, answer: str | None = None) -> Tree:
    """A chain of steps; the last one is terminal when it has an answer."""
    tree = Tree()
    node: NodeId = ROOT
    for position, text in enumerate(texts):
        ends = answer is not None and position == len(texts) - 1
        call = Expand(node)
        tree.expand(call, [Step(text, terminal=ends, answer=answer if ends else None)])
        node = child(call)
        tree.scores[Score((node,))] = (0.5,)
    return tree


def small_tree() -> Tree:
    """
    root
    ├─ 0.70 first
    │  ├─ 0.90 deeper     ■ 42
    │  └─ 0.20 dead end   (terminal, no answer)
    └─ –    second
    """
    tree = Tree()
    first, second = Expand(ROOT, "step", 0), Expand(ROOT, "step", 1)
    tree.expand(first, [Step("first\n\n")])
    tree.expand(second, [Step("second")])
    tree.expand(Expand(child(first), "step", 0), [Step("deeper", terminal=True, answer="42")])
    tree.expand(Expand(child(first), "step", 1), [Step("dead end", terminal=True)])
    tree.scores[Score((child(first),))] = (0.7,)
    tree.scores[Score((child(Expand(child(first), "step", 0)),))] = (0.9,)
    tree.scores[Score((child(Expand(child(first), "step", 1)),))] = (0.2,)
    return tree


def test_a_tree_is_one_line_a_node_with_reward_words_and_answer() -> None:
    assert tree_text(small_tree(), title="Q: 42").splitlines() == [
        "Q: 42",
        "├─ 0.70 first",
        "│  ├─ 0.90 deeper  ■ 42",
        "│  └─ 0.20 dead end  ■ no answer",
        "└─   –  second",
    ]


@pytest.mark.parametrize(("verdict", "mark"), [(True, "✓"), (False, "✗"), (None, "■"), ("of another kind", "■")])
def test_a_mark_says_whether_an_answer_was_checked_and_what_came_of_it(verdict: Any, mark: str) -> None:
    text = tree_text(small_tree(), judge=lambda _: verdict)
    page = Parsed(tree_html(small_tree(), judge=lambda _: verdict))
    assert f"deeper  {mark} 42" in text
    assert f"deeper  {mark} 42" in "".join(page.words)
    assert "dead end  ■ no answer" in text


def test_a_tree_is_drawn_whatever_the_judge_raises() -> None:
    def judge(answer: str) -> bool:
        raise LookupError(answer)

    assert "deeper  ■ 42" in tree_text(small_tree(), judge=judge)
    assert "deeper  ■ 42" in tree_html(small_tree(), judge=judge)


def test_equal_answers_are_judged_once() -> None:
    tree, asked = Tree(), list[str]()

    def judge(answer: str) -> bool:
        asked.append(answer)
        return True

    for index in range(3):
        tree.expand(Expand(ROOT, "step", index), [Step("x", terminal=True, answer="42")])
    assert tree_text(tree, judge=judge).count("✓ 42") == 3
    assert asked == ["42"]


def test_html_nests_the_children_inside_their_parent() -> None:
    document = tree_html(small_tree())
    first, deeper, second = (document.index(f"<pre>{word}") for word in ("first", "deeper", "second"))
    assert first < deeper < second
    assert document[first:deeper].count("<ul>") == 1
    assert document[deeper:second].count("</ul>") == 1
    assert Parsed(document).deepest == 2


def test_an_empty_tree_is_its_title() -> None:
    assert tree_text(Tree(), title="nothing yet") == "nothing yet"
    assert Parsed(tree_html(Tree(), title="nothing yet")).words == ["nothing yet"]


def test_children_are_drawn_in_node_order_whatever_the_order_of_arrival() -> None:
    tree = Tree()
    for index in (2, 10, 0):
        tree.expand(Expand(ROOT, "step", index), [Step(f"sample {index}")])
    assert [line[-2:].strip() for line in tree_text(tree).splitlines()[1:]] == ["0", "2", "10"]


def test_other_actions_than_step_are_named() -> None:
    tree = Tree()
    tree.expand(Expand(ROOT, "propose", 0), [Step("4 * 6"), Step("8 * 3")])
    assert tree_text(tree).splitlines()[1:] == ["├─   –  [propose] 4 * 6", "└─   –  [propose] 8 * 3"]


def test_a_node_that_was_scored_with_others_or_by_samples_shows_its_mean() -> None:
    tree = Tree()
    call = Expand(ROOT, "propose", 0)
    tree.expand(call, [Step("a"), Step("b")])
    nodes = (child(call, 0), child(call, 1))
    tree.scores[Score(nodes, "vote", 0)] = (1.0, 0.0)
    tree.scores[Score(nodes, "vote", 1)] = (0.5, 0.5)
    assert [line[3:7] for line in tree_text(tree).splitlines()[1:]] == ["0.75", "0.25"]


def test_the_own_reward_goes_before_any_other_score() -> None:
    tree = grown("a")
    tree.scores[Score((child(Expand(ROOT)),), "vote")] = (1.0,)
    assert "0.50 a" in tree_text(tree)


def test_more_nodes_than_the_limit_are_counted_not_drawn() -> None:
    tree = Tree()
    for index in range(1300):
        tree.expand(Expand(ROOT, "step", index), [Step("x")])
    text = tree_text(tree, nodes_max=100)
    assert text.splitlines()[-1] == "… 1,200 more"
    assert len(text.splitlines()) == 102
    assert "… 1,200 more" in tree_html(tree, nodes_max=100)


def test_a_chain_of_5000_nodes_needs_no_recursion_and_no_square_of_space() -> None:
    tree = Tree()
    call = Expand(ROOT)
    edge = child(call)
    for depth in range(5000):
        tree.steps[edge * (depth + 1)] = Step("down")
    text = tree_text(tree, nodes_max=6000)
    assert len(text.splitlines()) == 5001
    assert max(map(cells_of, text.splitlines())) <= 100
    assert tree_html(tree, nodes_max=6000).count("<details open>") == 5000


def test_a_node_without_its_parent_is_drawn_and_the_html_stays_balanced() -> None:
    tree = small_tree()
    orphan = (*child(Expand(ROOT, "step", 7)), *child(Expand(ROOT, "step", 1)), *child(Expand(ROOT, "step", 2)))
    tree.steps[orphan] = Step("orphan")
    assert "orphan" in tree_text(tree)
    page = Parsed(tree_html(tree))
    assert page.open == []
    assert page.oddities == []


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_lines_fit_the_width_whatever_the_texts(width: int) -> None:
    tree = grown("long " * 500, "宽" * 500, "e\u0301" * 500, "x" * 100_000, answer="長い" * 300)
    assert all(cells_of(line) <= width for line in tree_text(tree, "title " * 100, width).splitlines())


@pytest.mark.parametrize("hostile", XSS)
def test_no_string_of_a_model_becomes_markup(hostile: str) -> None:
    tree = grown(hostile, "then " + hostile, answer=hostile)
    page = Parsed(tree_html(tree, title=hostile))
    assert page.tags <= TAGS
    assert page.attributes <= {("class", "spex-tree"), ("open", None)}
    assert page.oddities == []
    assert page.open == []
    assert visible(hostile) in "".join(page.words)


def test_there_are_forty_hostile_strings_at_least() -> None:
    assert len(set(XSS)) >= 40


@pytest.mark.parametrize("hostile", TERMINAL)
def test_no_string_of_a_model_reaches_the_terminal_as_control(hostile: str) -> None:
    tree = grown(hostile, answer=hostile)
    lines = tree_text(tree, title=hostile).split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert visible(tree_html(tree, title=hostile), keep="\n") == tree_html(tree, title=hostile)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31m", "␛[31m"),
        ("a\tb", "a␉b"),
        ("\x7f", "␡"),
        ("\x9b1m", r"\x9b1m"),
        ("\u202e", r"\u202e"),
        ("\u200b", r"\u200b"),
        ("\U000e0041", r"\U000e0041"),
        ("plain é 宽 \u00a0 text", "plain é 宽 \u00a0 text"),
    ],
)
def test_control_characters_are_shown_as_symbols(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


def test_one_line_collapses_blanks_and_marks_a_cut() -> None:
    assert one_line("  a \n\n b\t c ", 20) == "a b c"
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert one_line("宽宽宽", 5) == "宽宽…"


@pytest.mark.parametrize("draw", [tree_text, tree_html])
def test_the_same_tree_is_always_drawn_the_same(draw: Callable[..., Any]) -> None:
    backwards = small_tree()
    backwards.steps = dict(reversed(backwards.steps.items()))
    assert draw(backwards) == draw(small_tree())


def test_the_full_text_of_a_step_is_in_the_html() -> None:
    text = "line one\n" + "word " * 200 + "\nthe end"
    document = tree_html(grown(text))
    bodies = re.findall(r"<pre>(.*?)</pre>", document, re.DOTALL)
    assert [unescape(body) for body in bodies] == [text]


def test_a_solution_draws_itself_in_a_terminal_and_in_a_notebook() -> None:
    solution = Solution(Problem("2 + 40?", id="sum"), "42", correct=None, tree=small_tree())
    assert str(solution).splitlines()[0] == "sum: 42"
    assert solution._repr_html_().startswith('<div class="spex-tree"><p>sum: 42</p>')


def test_a_solution_marks_the_answer_that_was_checked_and_no_other() -> None:
    tree = small_tree()
    tree.expand(Expand(ROOT, "step", 2), [Step("other", terminal=True, answer="41")])
    solution = Solution(Problem("2 + 40?", id="sum", answer="42"), "42", correct=True, tree=tree)
    assert "deeper  ✓ 42" in str(solution)
    assert "other  ■ 41" in str(solution)
    assert "deeper  ✓ 42" in solution._repr_html_()


def test_the_repr_of_a_solution_is_one_short_line_whatever_its_tree() -> None:
    solution = Solution(
        Problem("2 + 40? " * 100, id="sum"), "42", correct=None, tree=small_tree(), usage=Usage(Tokens(17))
    )
    assert repr(solution) == "Solution('sum', answer='42', tokens=17, partial=None)"
