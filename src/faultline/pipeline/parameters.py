"""Settings of the map in, one frozen value with a hash out: what a forecast was made with."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.special import ndtri

from faultline.cascades.chain import ChainSettings
from faultline.errors import ConfigError
from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.constants import LearnerSettings
from faultline.learning.mixes import smooth_prior
from faultline.learning.reporting import Reporting
from faultline.pipeline.given_mixes import GivenMixes
from faultline.units import MINUTE_NS
from faultline.zones.parameters import ZoneParameters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ("PipelineParameters", "read_parameters")


class PipelineParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a map depends on besides the messages.

    Attributes:
        ledger: kernel of the ledger; the maintenance ratio in it is replaced by the instrument's own first tier.
        mix_centre_leverage: centre of the assumed leverage mix (shares of gross opens).
        mix_log_sd: its standard deviation in log leverage.
        mix_range: centres between which the shown band lies.
        freeze_ns: time between two frozen forecasts.
        smooth_bps: width of the Gaussian of the smooth plane, in basis points.
        default_maintenance_ratio: first-tier maintenance ratio of an instrument that has none on the tape.
        zones: what counts as a zone.
        chains: how it is learned how far cascades run.
        learns: whether the leverage mix is learned from the liquidations; if not, the assumed one is served.
        learner: constants of the learners.
        calibrates: whether it is learned what the venues do to their liquidations: where and how late they print,
            which share, and whether their sides and engines are what is assumed.
        reporting: what a venue publishes of its liquidations, by slug, where it is not what its documentation says
            (``learning.calibrator.published``); everything where neither says anything.
        given: what is known beforehand: mixes, calibrators, chains; of a file that ``faultline learn`` wrote.
    """

    ledger: LedgerParameters = msgspec.field(default_factory=LedgerParameters)
    mix_centre_leverage: float = 50.0
    mix_log_sd: float = 1.0
    mix_range: tuple[float, float] = (25.0, 100.0)
    freeze_ns: int = 5 * MINUTE_NS
    smooth_bps: float = 6.0
    default_maintenance_ratio: float = 0.005
    zones: ZoneParameters = msgspec.field(default_factory=ZoneParameters)
    chains: ChainSettings = msgspec.field(default_factory=ChainSettings)
    learns: bool = True
    learner: LearnerSettings = msgspec.field(default_factory=LearnerSettings)
    calibrates: bool = True
    reporting: dict[str, Reporting] = msgspec.field(default_factory=dict)
    given: GivenMixes = GivenMixes()

    def __post_init__(self) -> None:
        sizes = {len(each.mix) for each in self.given.fixed} | {
            len(mix) for mix in self.given.starts.values()
        }
        if sizes - {len(self.ledger.leverages)}:
            msg = f"given mixes need {len(self.ledger.leverages)} shares, one per leverage of the ledger"
            raise ValueError(msg)

    def mixes(self) -> NDArray[np.float64]:
        """Leverage mixes, shape (3, L): the assumed one, then the two ends of the band. Rows sum to 1."""
        centres = (self.mix_centre_leverage, *self.mix_range)
        rows = [smooth_prior(self.ledger.leverages, centre=centre, sd=self.mix_log_sd) for centre in centres]
        return np.array([row / row.sum() for row in rows])

    def mix_draws(self, n: int = 24) -> NDArray[np.float64]:
        """Mixes as unsure as the assumption is, shape (n, L): centres at even quantiles of a lognormal.

        Nineteen of twenty centres lie within ``mix_range``.
        """
        low, high = (math.log(centre / self.mix_centre_leverage) for centre in self.mix_range)
        spread = (high - low) / (2.0 * float(ndtri(0.975)))
        centres = self.mix_centre_leverage * np.exp(spread * ndtri((np.arange(n) + 0.5) / n))
        rows = [smooth_prior(self.ledger.leverages, centre=float(c), sd=self.mix_log_sd) for c in centres]
        return np.array([row / row.sum() for row in rows])

    def sha256(self) -> str:
        """Hash of the canonical JSON form."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def read_parameters(path: Path) -> PipelineParameters:
    """Parameters from a JSON file.

    Raises:
        ConfigError: the file cannot be read, has an unknown key or a value of the wrong type.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=PipelineParameters)
    except OSError as exc:
        msg = f"cannot read the parameters: {exc.strerror}"
        raise ConfigError(msg, where=str(path), hint="Give the path of a JSON file.") from exc
    except msgspec.DecodeError as exc:
        hint = "Known keys: " + ", ".join(PipelineParameters.__struct_fields__)
        raise ConfigError(str(exc), where=str(path), hint=hint) from exc
