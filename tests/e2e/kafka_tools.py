"""Kafka's command line tools, as an operator has them in the shell; the jars that they are made of are the stack's."""

import asyncio
import os
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from shlex import join

from local_stack.kafka import tool

TOOLS = {
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-reassign-partitions.sh": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-leader-election.sh": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-metadata-quorum.sh": "org.apache.kafka.tools.MetadataQuorumCommand",
}
SHELL_SECONDS = 60


class Shell:
    """A shell in a folder of its own, with Kafka's tools and `$KAFKA`."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self._folder = folder
        self._bootstrap = bootstrap

    async def prepare(self) -> None:
        for name, program in TOOLS.items():
            script = self._folder / name
            script.write_text(f'#!/bin/sh\nexec {join([*await tool(print), program])} "$@"\n', encoding="utf-8")
            script.chmod(0o755)

    async def typed(self, lines: str, **variables: str) -> str:
        """What is printed. Fails with it when a line fails."""
        path = f"{self._folder}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            "bash",
            *("-euo", "pipefail", "-c", lines),
            cwd=self._folder,
            env=os.environ | {"PATH": path, "KAFKA": self._bootstrap} | variables,
            stdout=PIPE,
            stderr=STDOUT,
        )
        async with asyncio.timeout(SHELL_SECONDS):
            printed, _ = await process.communicate()
        assert process.returncode == 0, printed.decode()
        return printed.decode()
