"""Commands counted by campaign: series begin with a campaign's bucket and end with it."""

from prometheus_client import CollectorRegistry

from dispatcher_svc.metrics import PublishedByCampaign


def test_a_campaign_has_a_series_from_its_first_bucket_to_its_last() -> None:
    registry, published = CollectorRegistry(), PublishedByCampaign()
    registry.register(published)

    def shown(campaign: int) -> float | None:
        return registry.get_sample_value("pulse_dispatch_campaign_published_total", {"campaign": str(campaign)})

    published.keep({7, 8})
    assert (shown(7), shown(8)) == (0, 0)
    for _ in range(3):
        published.count(7)
    published.keep({7, 9})
    assert (shown(7), shown(8), shown(9)) == (3, None, 0)
