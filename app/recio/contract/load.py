"""Reads the contract and refuses one that is wrong: every message names the file, the path in it and the cure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from recio.contract.model import Contract, Directory, Service, Threshold, Tier
from recio.contract.text import UnreadableError, decode

__all__ = ["DEFAULT_PATH", "EXTERNALS", "ContractError", "load", "parse", "unknown_figures"]

DEFAULT_PATH = "/etc/recio/contract.yml"
EXTERNALS = frozenset({"postgresql", "exchange", "price_feed"})  # what a service may depend on beside the twelve
_MAPPINGS: dict[str, Any] = {"services": Service, "tiers": Tier, "directories": Directory, "thresholds": Threshold}
_HOME = "correct roles/contract/defaults/main.yml and deploy again"


class ContractError(ValueError):
    """The contract is missing or wrong."""


def load(path: str | None = None) -> Contract:
    """The contract at ``path``, or RECIO_CONTRACT, or /etc/recio/contract.yml; raises ContractError.

    Figures that only a newer release knows are left out: it may have written the file and then been taken back.
    """
    text, place = _read(path)
    try:
        return parse(text, place)
    except ContractError:
        # Imported where it is needed, once in the life of a host: it would stay in the memory of all twelve.
        from recio.contract.newer import known_part

        known, unknown = known_part(_decoded(text, place), Contract)
        if not unknown:
            raise
        return _checked(known, place)


def unknown_figures(path: str | None = None) -> list[str]:
    """The paths of figures in the host's contract that this release does not know; raises ContractError."""
    from recio.contract.newer import known_part

    text, place = _read(path)
    return known_part(_decoded(text, place), Contract)[1]


def _read(path: str | None) -> tuple[str, str]:
    place = path or os.environ.get("RECIO_CONTRACT", DEFAULT_PATH)
    try:
        return Path(place).read_text(), place
    except OSError as error:
        raise ContractError(f"cannot read {place}: {error.strerror}; deploy writes it") from error


def parse(text: str, where: str = "contract") -> Contract:
    """The contract in ``text`` (JSON or YAML), to the letter: an unknown key is refused; ``where`` is named in errors."""
    return _checked(_decoded(text, where), where)


def _decoded(text: str, where: str) -> Any:
    try:
        return decode(text)
    except UnreadableError as error:
        raise ContractError(f"{where}: cannot be read: {error}; {_HOME}") from error


def _checked(raw: Any, where: str) -> Contract:
    try:
        contract = msgspec.convert(raw, Contract)
    except msgspec.ValidationError as error:
        raise ContractError(f"{where}: {_named(raw, error)}; {_HOME}") from error
    wrong = list(_contradictions(contract))
    if wrong:
        raise ContractError(f"{where}: {'; '.join(wrong)}; {_HOME}")
    return contract


def _named(raw: Any, error: msgspec.ValidationError) -> str:
    """The message with the whole path: msgspec itself writes ``$.services[...]`` for a value of a mapping."""
    for section, kind in _MAPPINGS.items():
        if f"$.{section}[...]" not in str(error) or not isinstance(raw.get(section), dict):
            continue
        for key, value in raw[section].items():
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as inner:
                message, _, rest = str(inner).partition(" - at `$")
                return f"{message} - at {section}.{key}{rest.rstrip('`')}"
    return re.sub(r" - at `\$\.?([^`]*)`", r" - at \1", str(error))


def _contradictions(contract: Contract) -> Iterator[str]:
    """What each value alone cannot show."""
    shares = sum(service.cpu_percent for service in contract.services.values())
    if shares + contract.cpu.headroom_percent != contract.cpu.total_percent:
        yield (
            f"services.*.cpu_percent add up to {shares:g}; with cpu.headroom_percent {contract.cpu.headroom_percent:g} "
            f"that must be cpu.total_percent {contract.cpu.total_percent:g}: change a share or the headroom"
        )
    for tier_name, tier in contract.tiers.items():
        memory_mb = sum(service.memory_mb for service in contract.tier(tier_name).values())
        if memory_mb != tier.memory_mb:
            yield (
                f"services of tier {tier_name} add up to {memory_mb} MB, "
                f"tiers.{tier_name}.memory_mb says {tier.memory_mb}"
            )
    whole_mb = sum(service.memory_mb for service in contract.services.values())
    if whole_mb != contract.memory.services_mb:
        yield f"services.*.memory_mb add up to {whole_mb}, memory.services_mb says {contract.memory.services_mb}"
    yield from _service_faults(contract)
    for name, threshold in contract.thresholds.items():
        if not threshold.clear_warning <= threshold.warning < threshold.critical:
            yield f"thresholds.{name}: clear_warning <= warning < critical must hold"
    if contract.upkeep.growth.clear_days < contract.upkeep.growth.warning_days:
        yield "upkeep.growth: warning_days <= clear_days must hold"
    if contract.upkeep.growth.decisions_kept_days < contract.upkeep.growth.decisions_least_days:
        yield "upkeep.growth: decisions_least_days <= decisions_kept_days must hold"
    if contract.upkeep.growth.shorten_from_percent >= 100:
        yield "upkeep.growth: shorten_from_percent must be below 100"
    yield from _project_faults(contract)
    if contract.pool.min > contract.pool.max:
        yield f"pool.min {contract.pool.min} is above pool.max {contract.pool.max}"


def _project_faults(contract: Contract) -> Iterator[str]:
    taken: dict[int, str] = {}
    for name, directory in contract.directories.items():
        if directory.project is None:
            continue
        if directory.project in taken:
            yield f"directories.{name}.project {directory.project} is taken by {taken[directory.project]}"
        taken[directory.project] = f"directories.{name}"


def _service_faults(contract: Contract) -> Iterator[str]:
    taken = {port: f"ports.{name}" for name, port in contract.ports.items()}
    for name, service in contract.services.items():
        here = f"services.{name}"
        if service.tier not in contract.tiers:
            yield f"{here}.tier {service.tier} is not in tiers"
            continue
        if service.port is not None:
            ports = contract.tiers[service.tier].ports
            if ports is None:
                yield f"{here}.port {service.port}: tier {service.tier} has no ports; remove it"
            elif service.port not in ports:
                yield f"{here}.port {service.port} is outside its tier's range {ports.first}-{ports.last}"
            if service.port in taken:
                yield f"{here}.port {service.port} is taken by {taken[service.port]}"
            taken[service.port] = f"{here}.port"
        for other in service.depends_on:
            if other in EXTERNALS:
                continue
            if other not in contract.services:
                yield f"{here}.depends_on names {other}, which is no service; known beside them: {sorted(EXTERNALS)}"
            elif contract.services[other].start_order >= service.start_order:
                yield f"{here}.depends_on {other}, which does not start earlier (start_order)"
