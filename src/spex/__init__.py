"""SPEX: Tree-of-Thought search that does not wait for its rewards, and gives the same tree.

Every public name stands here, in the order of the alphabet, and is imported when it is first used, with what it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex.answer import AnswerRule as AnswerRule
    from spex.answer import Best as Best
    from spex.answer import Majority as Majority
    from spex.answer import Weighted as Weighted
    from spex.api import run as run
    from spex.api import run_sync as run_sync
    from spex.api import solve as solve
    from spex.api import solve_sync as solve_sync
    from spex.control.run import Run as Run
    from spex.control.setup import Speculation as Speculation
    from spex.engine.base import Capabilities as Capabilities
    from spex.engine.base import Engine as Engine
    from spex.engine.base import Sampling as Sampling
    from spex.engine.function import FunctionPolicy as FunctionPolicy
    from spex.engine.llamacpp import LlamaCpp as LlamaCpp
    from spex.engine.sglang_local import SglangLocal as SglangLocal
    from spex.errors import EngineError as EngineError
    from spex.errors import InputError as InputError
    from spex.errors import InvariantError as InvariantError
    from spex.errors import LogMismatch as LogMismatch
    from spex.errors import LogUnwritable as LogUnwritable
    from spex.errors import Misbehaving as Misbehaving
    from spex.errors import NotLossless as NotLossless
    from spex.errors import Overloaded as Overloaded
    from spex.errors import RecordError as RecordError
    from spex.errors import SearchError as SearchError
    from spex.errors import SpexError as SpexError
    from spex.errors import TimedOut as TimedOut
    from spex.errors import Unreachable as Unreachable
    from spex.events import Event as Event
    from spex.ids import ROOT as ROOT
    from spex.ids import Call as Call
    from spex.ids import Edge as Edge
    from spex.ids import Expand as Expand
    from spex.ids import NodeId as NodeId
    from spex.ids import Score as Score
    from spex.ids import child as child
    from spex.policy import Policy as Policy
    from spex.problem import Problem as Problem
    from spex.reward.arithmetic import Arithmetic as Arithmetic
    from spex.reward.base import Reward as Reward
    from spex.reward.clusters import Clusters as Clusters
    from spex.reward.combined import Combined as Combined
    from spex.reward.confidence import Confidence as Confidence
    from spex.reward.embedding import Embedding as Embedding
    from spex.reward.function import FunctionReward as FunctionReward
    from spex.reward.judge import Judge as Judge
    from spex.reward.prm import Prm as Prm
    from spex.reward.prm_form import HeadForm as HeadForm
    from spex.reward.prm_form import PrmForm as PrmForm
    from spex.reward.rubric import Rubric as Rubric
    from spex.reward.score_head import ScoreHead as ScoreHead
    from spex.reward.value import Value as Value
    from spex.reward.verifier import Verifier as Verifier
    from spex.reward.vote import Vote as Vote
    from spex.search.ab_mcts import AbMcts as AbMcts
    from spex.search.base import Demand as Demand
    from spex.search.base import Outlook as Outlook
    from spex.search.base import Parallel as Parallel
    from spex.search.base import Search as Search
    from spex.search.base import Stop as Stop
    from spex.search.beam import Beam as Beam
    from spex.search.best_first import BestFirst as BestFirst
    from spex.search.best_of_n import BestOfN as BestOfN
    from spex.search.dvts import Dvts as Dvts
    from spex.search.ets import Ets as Ets
    from spex.search.mcts import Mcts as Mcts
    from spex.search.merging import Merging as Merging
    from spex.search.rebase import Rebase as Rebase
    from spex.search.rest_mcts import RestMcts as RestMcts
    from spex.search.rstar import RStar as RStar
    from spex.search.self_consistency import SelfConsistency as SelfConsistency
    from spex.search.tot_bfs import TotBfs as TotBfs
    from spex.search.tot_dfs import TotDfs as TotDfs
    from spex.search.virtual_loss import VirtualLoss as VirtualLoss
    from spex.search.wu_uct import WuUct as WuUct
    from spex.seeds import draw as draw
    from spex.solution import Solution as Solution
    from spex.tasks.base import Task as Task
    from spex.tasks.game24 import Game24 as Game24
    from spex.tasks.gsm8k import Gsm8k as Gsm8k
    from spex.tasks.text import Text as Text
    from spex.tasks.thinking import Thinking as Thinking
    from spex.tree import Step as Step
    from spex.tree import Tree as Tree
    from spex.tree import TreeView as TreeView
    from spex.tree import Unknown as Unknown
    from spex.usage import Tokens as Tokens
    from spex.usage import Usage as Usage

__version__ = "0.1.0"

__all__ = (
    "ROOT",
    "AbMcts",
    "AnswerRule",
    "Arithmetic",
    "Beam",
    "Best",
    "BestFirst",
    "BestOfN",
    "Call",
    "Capabilities",
    "Clusters",
    "Combined",
    "Confidence",
    "Demand",
    "Dvts",
    "Edge",
    "Embedding",
    "Engine",
    "EngineError",
    "Ets",
    "Event",
    "Expand",
    "FunctionPolicy",
    "FunctionReward",
    "Game24",
    "Gsm8k",
    "HeadForm",
    "InputError",
    "InvariantError",
    "Judge",
    "LlamaCpp",
    "LogMismatch",
    "LogUnwritable",
    "Majority",
    "Mcts",
    "Merging",
    "Misbehaving",
    "NodeId",
    "NotLossless",
    "Outlook",
    "Overloaded",
    "Parallel",
    "Policy",
    "Prm",
    "PrmForm",
    "Problem",
    "RStar",
    "Rebase",
    "RecordError",
    "RestMcts",
    "Reward",
    "Rubric",
    "Run",
    "Sampling",
    "Score",
    "ScoreHead",
    "Search",
    "SearchError",
    "SelfConsistency",
    "SglangLocal",
    "Solution",
    "Speculation",
    "SpexError",
    "Step",
    "Stop",
    "Task",
    "Text",
    "Thinking",
    "TimedOut",
    "Tokens",
    "TotBfs",
    "TotDfs",
    "Tree",
    "TreeView",
    "Unknown",
    "Unreachable",
    "Usage",
    "Value",
    "Verifier",
    "VirtualLoss",
    "Vote",
    "Weighted",
    "WuUct",
    "__version__",
    "child",
    "draw",
    "run",
    "run_sync",
    "solve",
    "solve_sync",
)

_PLACES = {
    "AbMcts": "spex.search.ab_mcts",
    "AnswerRule": "spex.answer",
    "Arithmetic": "spex.reward.arithmetic",
    "Beam": "spex.search.beam",
    "Best": "spex.answer",
    "BestFirst": "spex.search.best_first",
    "BestOfN": "spex.search.best_of_n",
    "Call": "spex.ids",
    "Capabilities": "spex.engine.base",
    "child": "spex.ids",
    "Clusters": "spex.reward.clusters",
    "Combined": "spex.reward.combined",
    "Confidence": "spex.reward.confidence",
    "Demand": "spex.search.base",
    "draw": "spex.seeds",
    "Dvts": "spex.search.dvts",
    "Edge": "spex.ids",
    "Embedding": "spex.reward.embedding",
    "Engine": "spex.engine.base",
    "EngineError": "spex.errors",
    "Ets": "spex.search.ets",
    "Event": "spex.events",
    "Expand": "spex.ids",
    "FunctionPolicy": "spex.engine.function",
    "FunctionReward": "spex.reward.function",
    "Game24": "spex.tasks.game24",
    "Gsm8k": "spex.tasks.gsm8k",
    "HeadForm": "spex.reward.prm_form",
    "InputError": "spex.errors",
    "InvariantError": "spex.errors",
    "Judge": "spex.reward.judge",
    "LlamaCpp": "spex.engine.llamacpp",
    "LogMismatch": "spex.errors",
    "LogUnwritable": "spex.errors",
    "Majority": "spex.answer",
    "Mcts": "spex.search.mcts",
    "Merging": "spex.search.merging",
    "Misbehaving": "spex.errors",
    "NodeId": "spex.ids",
    "NotLossless": "spex.errors",
    "Outlook": "spex.search.base",
    "Overloaded": "spex.errors",
    "Parallel": "spex.search.base",
    "Policy": "spex.policy",
    "Prm": "spex.reward.prm",
    "PrmForm": "spex.reward.prm_form",
    "Problem": "spex.problem",
    "RStar": "spex.search.rstar",
    "Rebase": "spex.search.rebase",
    "RecordError": "spex.errors",
    "RestMcts": "spex.search.rest_mcts",
    "Reward": "spex.reward.base",
    "ROOT": "spex.ids",
    "Rubric": "spex.reward.rubric",
    "run": "spex.api",
    "Run": "spex.control.run",
    "run_sync": "spex.api",
    "Sampling": "spex.engine.base",
    "Score": "spex.ids",
    "ScoreHead": "spex.reward.score_head",
    "Search": "spex.search.base",
    "SearchError": "spex.errors",
    "SelfConsistency": "spex.search.self_consistency",
    "SglangLocal": "spex.engine.sglang_local",
    "Solution": "spex.solution",
    "solve": "spex.api",
    "solve_sync": "spex.api",
    "Speculation": "spex.control.setup",
    "SpexError": "spex.errors",
    "Step": "spex.tree",
    "Stop": "spex.search.base",
    "Task": "spex.tasks.base",
    "Text": "spex.tasks.text",
    "Thinking": "spex.tasks.thinking",
    "TimedOut": "spex.errors",
    "Tokens": "spex.usage",
    "TotBfs": "spex.search.tot_bfs",
    "TotDfs": "spex.search.tot_dfs",
    "Tree": "spex.tree",
    "TreeView": "spex.tree",
    "Unknown": "spex.tree",
    "Unreachable": "spex.errors",
    "Usage": "spex.usage",
    "Value": "spex.reward.value",
    "Verifier": "spex.reward.verifier",
    "VirtualLoss": "spex.search.virtual_loss",
    "Vote": "spex.reward.vote",
    "Weighted": "spex.answer",
    "WuUct": "spex.search.wu_uct",
}


if not TYPE_CHECKING:  # a checker must not take every name for one of ours

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used."""
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(f"module 'spex' has no attribute {name!r}")
        globals()[name] = getattr(import_module(place), name)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
