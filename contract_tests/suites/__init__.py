"""The exported suite: subclass `CronSchedulerContract`, give one fixture, run pytest.

from contract_tests.suites import CronSchedulerContract

class TestMyProvider(CronSchedulerContract):
    @pytest.fixture
    def provider(self):
        return MyProvider
"""

from contract_tests.suites.contract import CronSchedulerContract
from contract_tests.suites.harness import ProviderHarness

__all__ = ["CronSchedulerContract", "ProviderHarness"]
