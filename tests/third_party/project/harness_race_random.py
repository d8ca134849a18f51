from pathlib import Path

import typer, harness


def race_random(
    heads: int = typer.Option(64, help="N"), output: Path = typer.Option(None, help="where the records go")
) -> None:
    """Time the random map beside the teacher at one N."""
    suite = {
        "name": "race-random",
        "source": {"use": "playbook"},
        "heads": {"values": [heads]},
        "batch_sizes": [1],
        "contenders": {
            "teacher": {"projector": "lda", "runtime": "python"},
            "random": {"projector": "random", "runtime": "eager"},
        },
    }
    ran = harness.plan_suite(suite).run(output)
    ran.show()
    harness.say(f"records: {ran.folder}")
    raise typer.Exit(ran.exit_code)
