"""The resource contract as types: every figure the installation is held to, with its unit in the name."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = ["Contract", "Directory", "Health", "Service", "Threshold", "Tier", "TierName"]

TierName = Literal["core", "watchdog", "system"]
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]
Megabytes = Annotated[int, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(gt=0)]


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frozen, and an unknown key is an error: a misspelt figure must not fall back to a default."""


class Need(Struct, frozen=True):
    """One row of the hardware table."""

    minimum: Count
    recommended: Count
    current: Count


class CloudMinimum(Struct, frozen=True):
    """The smallest cloud machine the request names; weaker than the hardware table, kept as asked."""

    cores: Count
    memory_gb: Count


class Hardware(Struct, frozen=True):
    """What the machine must and should have."""

    cores: Need
    memory_gb: Need
    disk_gb: Need
    network_mbps: Need
    cloud_minimum: CloudMinimum
    cloud_examples: tuple[str, ...]


class PortRange(Struct, frozen=True):
    """Inclusive."""

    first: Port
    last: Port

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last


class Tier(Struct, frozen=True):
    """A group of services: its priority, its memory together, and where its ports may lie."""

    priority: Literal["high", "medium", "low"]
    memory_mb: Megabytes
    ports: PortRange | None = None


class Cpu(Struct, frozen=True):
    """How the twelve shares add up, and how far a service may go above its own."""

    total_percent: Percent
    headroom_percent: Annotated[float, msgspec.Meta(ge=0, le=100)]
    quota_factor: Annotated[float, msgspec.Meta(ge=1)]
    quota_floor_percent: Percent


class Memory(Struct, frozen=True):
    """Budgets in PSS, and the kernel's guard rails above them."""

    postgresql_mb: Megabytes
    python_total_mb: Megabytes
    services_mb: Megabytes
    web_mb: Megabytes
    supervisor_mb: Megabytes
    cache_mb: Megabytes
    total_mb: Megabytes
    available_mb: Megabytes
    high_percent: Annotated[int, msgspec.Meta(ge=100)]
    max_percent: Annotated[int, msgspec.Meta(ge=100)]
    high_floor_mb: Megabytes
    max_floor_mb: Megabytes


class Limits(Struct, frozen=True):
    """Limits of every process."""

    nofile: Count
    address_space_mb: Megabytes
    threads: Count


class Restarts(Struct, frozen=True):
    """``free`` failures within ``window_s`` are restarted at once, each one more waits twice as long, up to ``most_s``.

    ``per_hour`` is what a service that never stops failing comes to.
    """

    free: Count
    window_s: Count
    most_s: Count
    per_hour: Count


class Pool(Struct, frozen=True):
    """Database connections of all services together."""

    min: Count
    max: Count


class Health(Struct, frozen=True):
    """Useful work older than this is a failure of function."""

    max_work_age_s: Annotated[float, msgspec.Meta(gt=0)]


class Service(Struct, frozen=True):
    """One of the twelve."""

    tier: TierName
    description: str
    cpu_percent: Percent
    nice: Annotated[int, msgspec.Meta(ge=-20, le=19)]
    memory_mb: Megabytes
    health: Health
    start_order: Annotated[int, msgspec.Meta(ge=0)]
    depends_on: tuple[str, ...]
    core: Annotated[int, msgspec.Meta(ge=0)] | None = None
    port: Port | None = None


class Bandwidth(Struct, frozen=True):
    """Kilobytes per second."""

    kalshi_kb_per_s: Count
    coinbase_kb_per_s: Count
    websocket_kb_per_s: Count
    database_kb_per_s: Count
    peak_kb_per_s: Count


class Directory(Struct, frozen=True):
    """A folder and what it may hold."""

    path: Annotated[str, msgspec.Meta(pattern="^/")]
    size_mb: Megabytes
    purpose: str
    project: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Disk(Struct, frozen=True):
    """All directories together, and what the machine was said to have free."""

    total_mb: Megabytes
    available_mb: Megabytes


class Database(Struct, frozen=True):
    """Names the rest of the product may rely on."""

    name: str
    schemas: tuple[str, ...]
    trades_table: str


class Postgresql(Struct, frozen=True):
    """Settings of the server, as written into its configuration."""

    settings: dict[str, str | int | float]


class Threshold(Struct, frozen=True):
    """Where a measurement becomes a warning or critical, after how long, where it ends, and what to do."""

    unit: Literal["percent", "ms"]
    warning: float
    critical: float
    clear_warning: float
    clear_critical: float
    hold_s: float
    action: str


class BackupJob(Struct, frozen=True):
    """``name`` is a strftime pattern, ``at`` the host's local time."""

    name: str
    at: Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    keep_days: Count


class BaseJob(Struct, frozen=True):
    """``keep_full`` base backups stay; ``share_mb`` is the archive's part of the backups' folder."""

    at: Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    keep_full: Count
    share_mb: Megabytes


class RestoreTestJob(Struct, frozen=True):
    """``at`` as above."""

    at: Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class OffHostJob(Struct, frozen=True):
    """``max_age_s`` is how far the copy on another machine may be behind, where there is one."""

    max_age_s: Count


class Backup(Struct, frozen=True):
    """The three backups, the proof that they restore, and the age at which a missing one is an incident."""

    database: BackupJob
    files: BackupJob
    configuration: BackupJob
    base: BaseJob
    restore_test: RestoreTestJob
    off_host: OffHostJob
    max_age_h: Count


class CertificateRule(Struct, frozen=True):
    """The page's certificate has too little left: fewer days, or for one that lives shortly a smaller share of its life."""

    warning_days: Count
    critical_days: Count
    warning_left_percent: Percent
    critical_left_percent: Percent


class UpdatesRule(Struct, frozen=True):
    """A person must look: a security update has waited longer, or the lists that would name it are older."""

    pending_max_days: Count
    lists_max_days: Count


class GrowthRule(Struct, frozen=True):
    """The database's folder would reach its budget in less than ``warning_days``; it is well again from ``clear_days`` on.

    Younger samples than ``samples_min_h`` say nothing: on its first days a desk fills its tables. Above ``shorten_from_percent`` of
    the budget decisions are kept ever shorter, from ``decisions_kept_days`` down to ``decisions_least_days`` when it is all used.
    """

    samples_min_h: Count
    warning_days: Count
    clear_days: Count
    decisions_kept_days: Count
    decisions_least_days: Count
    shorten_from_percent: Percent


class Upkeep(Struct, frozen=True):
    """What must be renewed or cleared in time."""

    certificate: CertificateRule
    updates: UpdatesRule
    growth: GrowthRule


class FutureV3(Struct, frozen=True):
    """What the next version was promised; nothing of it is deployed."""

    redis_mb: Megabytes
    load_balancer_mb: Megabytes
    additional_services_mb: Megabytes
    monitoring_mb: Megabytes


class Contract(Struct, frozen=True):
    """The whole contract."""

    version: Literal[1]
    hardware: Hardware
    tiers: dict[TierName, Tier]
    cpu: Cpu
    memory: Memory
    limits: Limits
    python_gc: tuple[int, int, int]
    lru_cache_size: Count
    restarts: Restarts
    pool: Pool
    services: dict[str, Service]
    ports: dict[str, Port]
    bandwidth: Bandwidth
    directories: dict[str, Directory]
    disk: Disk
    database: Database
    postgresql: Postgresql
    thresholds: dict[str, Threshold]
    backup: Backup
    upkeep: Upkeep
    future_v3: FutureV3

    def tier(self, name: TierName) -> dict[str, Service]:
        """The services of one tier, by name."""
        return {key: service for key, service in self.services.items() if service.tier == name}

    @property
    def python_budget_mb(self) -> int:
        """What all services together may hold: the stricter of the two figures the request gives."""
        return min(self.memory.python_total_mb, self.memory.services_mb)

    def start_sequence(self) -> list[str]:
        """The services in the order they start."""
        return sorted(self.services, key=lambda name: (self.services[name].start_order, name))
