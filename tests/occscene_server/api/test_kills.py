"""Kill -9 of the worker, the server and the client, once in each phase; `tests.kill_campaign` does it at length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kill_campaign import PHASES, Campaign

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    campaign = Campaign(tmp_path_factory.mktemp("kills"))
    yield campaign
    campaign.close()


@pytest.mark.parametrize(("target", "phase"), [(target, phase) for target in PHASES for phase in PHASES[target]])
def test_result_arrives_once(campaign: Campaign, target: str, phase: str) -> None:
    campaign.hit(target, phase)
