"""`python -m campaign_svc`."""

from campaign_svc.main import main
from campaign_svc.settings import CampaignSettings
from pulse.runtime.process import run

run("campaign-svc", CampaignSettings, main)
