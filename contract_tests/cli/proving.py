"""``hermes-contract self-test``: prove that the kit has teeth, and only where it should."""

import click

__all__ = ["self_test"]


@click.command("self-test")
@click.option("--jobs", default=2, show_default=True, help="How many at a time.")
@click.option("--record", is_flag=True, help="Keep what was found, for the reports of this kit.")
@click.option("--only", metavar="TEXT", help="Those whose name or pinned ids contain TEXT.")
@click.pass_context
def self_test(context: click.Context, *, jobs: int, record: bool, only: str | None) -> None:
    """Prove the teeth: judge every broken implementation, and every legal oddity."""
    from concurrent.futures import ThreadPoolExecutor

    from contract_tests import controls
    from contract_tests.controls.bench import try_control
    from contract_tests.verdicts import Ruling

    if record and only:
        raise click.UsageError("--record keeps a whole self-test, and --only makes it a part")
    chosen = [
        control
        for control in (*controls.broken(), *controls.oddities())
        if not only or only in (control.name, *control.rejects) or only in control.name
    ]
    if not chosen:
        raise click.UsageError(f"--only {only}: no control has that in its name or its ids")
    good = {"broken": 0, "odd": 0}
    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        for trial in pool.map(try_control, chosen):
            right = trial.verdict is Ruling.PASS
            good["broken" if trial.control.rejects else "odd"] += right
            click.echo(f"{'ok ' if right else 'BAD'} {trial.control.name}: {trial.reason}")
    wrong = sum(bool(control.rejects) for control in chosen)
    odd = len(chosen) - wrong
    click.echo(f"rejects {good['broken']} of {wrong}, accepts {good['odd']} of {odd}")
    if record:
        from contract_tests.report import kit

        kit.record_proof(rejects=(good["broken"], wrong), accepts=(good["odd"], odd))
    context.exit(0 if sum(good.values()) == len(chosen) else 1)
