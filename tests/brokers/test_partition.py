"""The network between one node of a cluster and the other two is cut under load; all of them live, and keep their clients."""

import asyncio
import time
from collections.abc import Callable

import pytest

from bus.broker import ConsumerState
from bus.topology import QueueType
from tests.support.cluster import Cluster
from tests.support.cluster_fleet import Fleet, Places, fleet_on
