"""A submission: the numbers somebody claims for a restorer, and all that is needed to measure them again.

One JSON file.  It names shipped adapters, data sets, degradations and metrics with scalar settings only, and trained
files by their sha256, so that checking one runs nobody's code.  `verification` says what somebody measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import InputError
from .choice import Choice, Number

FORMAT: Final = "restorebench-submission-1"
VERIFIED_FORMAT: Final = "restorebench-verification-1"
MOST_BYTES = 4 * 2**20

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Address = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s<>\"']{1,500})?$")]
Count = Annotated[int, Field(ge=0, le=10**9)]

Status = Literal["verified", "differs", "not measured"]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Claim(_Plain):
    """One number.

    Attributes:
        dataset: name of the set, a key of `Submission.datasets`.
        split: name of the split.
        protocol: the bundle of choices the metrics belong to.
        metric: column, such as `lpips_alex` or `identity_deg`.
        of: the metric that makes the column, a key of `Submission.metrics`.
        metric_id: identity of the metric: every choice behind the number.
        value: as measured, or as printed with at least the digits of our tables.
        n: images behind it.
        dataset_digest, lq_digest: of the reference and LQ pixels it was measured on.
    """

    dataset: Label
    split: Label
    protocol: Label
    metric: Label
    of: Label
    metric_id: Text
    value: Number
    n: Count
    dataset_digest: Digest
    lq_digest: Digest


class Submission(_Plain):
    """What `submission.json` holds.

    Attributes:
        system: what tables call it.
        paper, url, contact: for people; may be empty.
        restorebench: version the numbers were made with.
        adapter: the restorer.
        weights: registry name of each trained file -> sha256.
        datasets, degradations, metrics: by the names that the claims use; a degradation of None is `given`.
        degradation_seed, restorer_seeds, limit: as the command had them.
    """

    format: Literal["restorebench-submission-1"]
    system: Label
    paper: Text = ""
    url: Address = ""
    contact: Text = ""
    restorebench: Label
    adapter: Choice
    weights: dict[Label, Sha256] = Field(max_length=50)
    datasets: dict[Label, Choice] = Field(min_length=1, max_length=100)
    degradations: dict[Label, Choice | None] = Field(max_length=200)
    metrics: dict[Label, Choice] = Field(min_length=1, max_length=200)
    degradation_seed: Count
    restorer_seeds: list[Count] = Field(min_length=1, max_length=100)
    limit: Count
    claims: list[Claim] = Field(min_length=1, max_length=10_000)

    @property
    def digest(self) -> str:
        """The sha256 of its canonical JSON."""
        return hashlib.sha256(canonical(self)).hexdigest()


class Checked(_Plain):
    """What was measured for one claim.

    Attributes:
        measured: the value here, None where there is none.
        tolerance: the largest difference that counts as the same.
        status: `verified`, `differs` or `not measured`.
        reason: why, in words; empty where it was verified.
    """

    measured: Number | None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    status: Status
    reason: Text


class Verification(_Plain):
    """A submission and what somebody measured: what `restorebench verify` writes.

    Attributes:
        checked: one entry per claim, in their order.
        restorebench: version that measured.
        machine: processor, libraries and the like, for people.
        date: day of the check, `YYYY-MM-DD`.
    """

    format: Literal["restorebench-verification-1"]
    submission: Submission
    checked: list[Checked]
    restorebench: Label
    machine: dict[Label, Text] = Field(max_length=60)
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]


def canonical(model: BaseModel) -> bytes:
    """Return a model as JSON; equal content gives equal bytes."""
    content = model.model_dump(mode="json")
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read(path: Path) -> Submission | Verification:
    """Read a submission or a verified one.

    Raises:
        InputError: the file cannot be read, or is neither; the message names the field.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return parse(data, str(path))


def parse(data: bytes, where: str) -> Submission | Verification:
    """Read a submission or a verified one from bytes; see `read`."""
    if len(data) > MOST_BYTES:
        raise InputError(f"{where}: is larger than {MOST_BYTES // 2**20} MiB, which no submission is")
    try:
        content = json.loads(data, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is no JSON of a submission ({type(error).__name__}: {str(error)[:200]})") from None
    kind: type[Submission | Verification] = Submission
    if isinstance(content, dict) and content.get("format") == VERIFIED_FORMAT:
        kind = Verification
    try:
        found = kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])[:200] or "the file"
        more = f" (and {error.error_count() - 1} more problems)" if error.error_count() > 1 else ""
        raise InputError(f"{where}: {field}: {first['msg'][:200]}{more}; see docs/sharing.md for the fields") from None
    _check(found if isinstance(found, Submission) else found.submission, where)
    if isinstance(found, Verification):
        _check_results(found, where)
    return found


def _check_results(verification: Verification, where: str) -> None:
    """Every claim has a result that agrees with itself."""
    claims = verification.submission.claims
    if len(verification.checked) != len(claims):
        raise InputError(f"{where}: checked: {len(verification.checked)} results for {len(claims)} claims")
    for number, (claim, one) in enumerate(zip(claims, verification.checked, strict=True)):
        if (one.measured is None) != (one.status == "not measured"):
            raise InputError(f"{where}: checked.{number}: is '{one.status}' with measured = {one.measured}")
        if one.measured is not None and one.status == "verified" and abs(one.measured - claim.value) > one.tolerance:
            raise InputError(f"{where}: checked.{number}: is 'verified', but {one.measured} is not {claim.value}")


def _check(submission: Submission, where: str) -> None:
    """Every claim names a set and a metric that the submission describes, and none twice."""
    seen: set[tuple[str, ...]] = set()
    for number, claim in enumerate(submission.claims):
        for field, known in (("dataset", submission.datasets), ("of", submission.metrics)):
            name = getattr(claim, field)
            if name not in known:
                raise InputError(f"{where}: claims.{number}.{field}: '{name}' is not described in the file")
        place = (claim.dataset, claim.split, claim.protocol, claim.metric, claim.metric_id)
        if place in seen:
            raise InputError(
                f"{where}: claims.{number}: {claim.metric} on {claim.dataset}, {claim.split} is claimed twice"
            )
        seen.add(place)


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")
