"""Tables of the page on images: repositories, JumpStart's model ids, accounts."""

from __future__ import annotations

from clary.algorithms import declaration, names
from clary.spec.images import FAMILIES, REPOSITORIES
from clary.spec.registries import ACCOUNTS
from clary.spec.render import table

_COLUMNS = "abcdef"


def repository_table() -> str:
    """Each repository, what it stands for, and the tags that the SDK knows."""
    rows = [
        (
            f"`{one.name}`",
            _state(one.algorithm),
            ", ".join(f"`{tag}`" for tag in one.tags) or "any",
            one.accounts or "–",
        )
        for one in REPOSITORIES
    ]
    return table(("repository", "algorithm", "tags", "accounts"), rows)


def model_table() -> str:
    """Each JumpStart model id, what it stands for, and the images of AWS that its family shares."""
    rows = [
        (f"`{one.id}`", _state(name), f"`{declaration(name).images[0]}`")
        for name in names()
        for one in declaration(name).jumpstart
    ]
    rows += [
        (
            ", ".join(f"`{one}`" for one in family.model_ids),
            _state(family.algorithm),
            ", ".join(f"`{image}`" for image in family.images) or "–",
        )
        for family in FAMILIES
        if family.algorithm not in names()
    ]
    return table(("model id", "algorithm", "on AWS in"), rows)


def account_table() -> str:
    """The accounts of each region by the letters that repositories have."""
    rows = [
        (region, *(accounts.get(column, "–") for column in _COLUMNS))
        for region, accounts in ACCOUNTS.items()
    ]
    return table(("region", *_COLUMNS), rows)


def _state(algorithm: str) -> str:
    return f"**{algorithm}**" if algorithm in names() else f"{algorithm}, not yet"
