"""Errors that a user can mend: their message is enough, and no traceback is shown."""

from models.contracts import ModelNotFound, RequestsRefused
from models.own_kinds import OwnKindFailed
from models.registry import UnknownKind
from models.training.errors import CannotAccumulate, NoCheckpointing
from storage.errors import StoreError
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.source import SourceUnknown
from tasks.curate.keep import RulesDoNotFit, SelectionConflict
from tasks.engine.placement import NoRoom
from tasks.engine.ray_engine import ClusterUnreachable
from tasks.engine.watch import SetUpBroken, ShardsSetAside
from tasks.errors import AuditError
from tasks.evaluate.evaluate import ScoresConflict
from tasks.generate.fault_tolerance import ReportsLost
from tasks.ingest.leaks import SourcesLeak
from tasks.plan.errors import PlanError
from tasks.pretrain.arms import ArmsDoNotFit
from tasks.pretrain.checkpoint import CheckpointConflict
from tasks.pretrain.memory import OutOfMemory
from tasks.pretrain.ranks import RankFailed
from tasks.pretrain.train import TrainingDiverged
from tasks.privacy.archive import ArchiveUnknown
from tasks.privacy.index import NotEnoughFilms
from tasks.recipe.errors import RecipeError

MENDABLE = (
    ArchiveError,
    AuditError,
    RecipeError,
    PlanError,
    ModelNotFound,
    RequestsRefused,
    NoRoom,
    ClusterUnreachable,
    SetUpBroken,
    ShardsSetAside,
    ReportsLost,
    UnknownKind,
    OwnKindFailed,
    StoreError,
    SelectionConflict,
    RulesDoNotFit,
    ArmsDoNotFit,
    CheckpointConflict,
    ScoresConflict,
    SourcesLeak,
    SourceUnknown,
    TrainingDiverged,
    CannotAccumulate,
    NoCheckpointing,
    RankFailed,
    OutOfMemory,
    ArchiveUnknown,
    NotEnoughFilms,
)
