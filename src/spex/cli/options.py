"""The options of commands: a name and a help for each setting; what they say is checked with the settings."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import typer

from spex.cli.settings import SharedSettings, SimulateSettings, SolveSettings, field_of


def _option(key: str, *aliases: str, metavar: str = "TEXT", model: type[SharedSettings] | None = None) -> Any:
    return typer.Option(_flag(key), *aliases, metavar=metavar, help=_help(key, model), show_default=False)


def _switch(key: str) -> Any:
    return typer.Option(f"{_flag(key)}/--no-{_flag(key)[2:]}", help=_help(key), show_default=False)


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _help(key: str, model: type[SharedSettings] | None = None) -> str:
    field = field_of(key, model)
    default = field.get_default(call_default_factory=False)
    usual = "" if default is None or default == {} else f" (default: {_spelled(default)})"
    return f"{field.title}: {field.description}{usual}."


def _spelled(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


Config: TypeAlias = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings (./spex.toml is read too).")
]

# One for each setting, so that commands that share a setting share its option.
Aggregate: TypeAlias = Annotated[str | None, _option("aggregate", metavar="NAME")]
Answer: TypeAlias = Annotated[str | None, _option("answer")]
AnswerRule: TypeAlias = Annotated[str | None, _option("answer_rule", metavar="NAME")]
Arrivals: TypeAlias = Annotated[str | None, _option("arrivals", metavar="poisson:RATE")]
ConnectSeconds: TypeAlias = Annotated[str | None, _option("connect_seconds", metavar="SECONDS")]
Concurrency: TypeAlias = Annotated[str | None, _option("concurrency", "--max-connections", metavar="N")]
Curve: TypeAlias = Annotated[str | None, _option("curve", metavar="NAME")]
Deadline: TypeAlias = Annotated[str | None, _option("deadline", metavar="SECONDS")]
Draft: TypeAlias = Annotated[str | None, _option("draft", metavar="ngram|PATH", model=SolveSettings)]
DraftFigures: TypeAlias = Annotated[str | None, _option("draft", metavar="ACCEPTANCE:TOKENS", model=SimulateSettings)]
EnableThinking: TypeAlias = Annotated[bool | None, _switch("enable_thinking")]
File: TypeAlias = Annotated[str | None, _option("file", metavar="FILE")]
FirstTokenSeconds: TypeAlias = Annotated[str | None, _option("first_token_seconds", metavar="SECONDS")]
Json: TypeAlias = Annotated[bool | None, _switch("json")]
Limit: TypeAlias = Annotated[str | None, _option("limit", metavar="N")]
Log: TypeAlias = Annotated[str | None, _option("log", metavar="FILE")]
Market: TypeAlias = Annotated[str | None, _option("market", metavar="NAME")]
Merge: TypeAlias = Annotated[bool | None, _switch("merge")]
Model: TypeAlias = Annotated[str | None, _option("model", metavar="PATH")]
PatienceSeconds: TypeAlias = Annotated[str | None, _option("patience_seconds", metavar="SECONDS")]
Plot: TypeAlias = Annotated[str | None, _option("plot", metavar="FILE")]
Policy: TypeAlias = Annotated[str | None, _option("policy", metavar="NAME[:PATH]")]
Profile: TypeAlias = Annotated[str | None, _option("profile", metavar="FILE")]
Queries: TypeAlias = Annotated[str | None, _option("queries", metavar="N")]
Quiet: TypeAlias = Annotated[bool | None, _switch("quiet")]
Reward: TypeAlias = Annotated[str | None, _option("reward", metavar="NAME[:FORM][@ENGINE]")]
Rule: TypeAlias = Annotated[str | None, _option("rule", metavar="NAME")]
Search: TypeAlias = Annotated[str | None, _option("search", metavar="NAME")]
Seed: TypeAlias = Annotated[str | None, _option("seed", metavar="N")]
Set: TypeAlias = Annotated[list[str] | None, _option("set", metavar="KEY=VALUE")]
Speculation: TypeAlias = Annotated[bool | None, _switch("speculation")]
StepTokens: TypeAlias = Annotated[str | None, _option("step_tokens", metavar="N")]
Stop: TypeAlias = Annotated[str | None, _option("stop", metavar="RULE")]
Task: TypeAlias = Annotated[str | None, _option("task", metavar="NAME")]
Temperature: TypeAlias = Annotated[str | None, _option("temperature", metavar="T")]
Template: TypeAlias = Annotated[str | None, _option("template", metavar="NAME")]
Thinking: TypeAlias = Annotated[bool | None, _switch("thinking")]
ThinkingSeen: TypeAlias = Annotated[str | None, _option("thinking_seen", metavar="PART")]
ThinkingSpent: TypeAlias = Annotated[str | None, _option("thinking_spent", metavar="close|end")]
ThinkingTokens: TypeAlias = Annotated[str | None, _option("thinking_tokens", metavar="N")]
TokenGapSeconds: TypeAlias = Annotated[str | None, _option("token_gap_seconds", metavar="SECONDS")]
Trace: TypeAlias = Annotated[str | None, _option("trace", metavar="FILE")]
Workload: TypeAlias = Annotated[str | None, _option("workload", metavar="NAME")]
