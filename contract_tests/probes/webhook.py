"""HOOK: what the host answers to a fire, and what follows from the answer.

What counts is the answer on the wire, the runs at the body and the claim in the file on disk.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from contract_tests.benches.issuer import Issuer, ec_key, issuing, rsa_key
from contract_tests.benches.webhook import ACCEPTED, Fire, Said, StoreTrouble, WebhookBench
from contract_tests.engine import Context, Outcome, held, probe, violated
from contract_tests.surroundings import captured_logs, home, unsynced

__all__: list[str] = []  # probes are found by their ids

HUGE = 2 * 1024 * 1024
MANY_FIRES = 12
HUNG = 8
LONG_ENOUGH_S = 600.0  # longer than any sensible pause between two looks for new keys
FLOOD = 30
MOST_FETCHES_IN_A_FLOOD = 3
UNAUTHORIZED, BAD, TOO_LARGE, DONE, LATER = 401, 400, 413, 200, 503


@contextmanager
def _bench(context: Context, label: str) -> Iterator[tuple[WebhookBench, Issuer]]:
    """A host in a fresh home that trusts an issuer with two keys, and that issuer."""
    keys = context.shared.setdefault("issuer keys", (rsa_key("by-rsa"), ec_key("by-curve")))
    folder = context.folder / "webhook" / label / "home"
    with (
        home(folder),
        captured_logs(),
        unsynced(),
        issuing(*keys) as issuer,
        context.host.webhook_bench(folder, issuer) as bench,
    ):
        yield bench, issuer


def _fire(bench: WebhookBench, fire: Fire, token: str | None) -> Said:
    authorization = None if token is None else f"Bearer {token}"
    return bench.client.post(fire.content(), authorization)


def _bad_tokens(issuer: Issuer) -> dict[str, str]:
    """Tokens that are wrong in one way each."""
    rsa, curve = issuer.published[:2]
    good = issuer.token()
    head, body, signature = good.split(".")
    other_body = issuer.token(aud=[issuer.audience, "agent:other"]).split(".")[1]
    return {
        "no token at all": "x",
        "a signature that is another's": issuer.token(ec_key(curve.id)),
        "a signature that was left out": f"{head}.{body}.",
        "a body that was exchanged": f"{head}.{other_body}.{signature}",
        "an end a minute ago": issuer.token(exp=issuer.claims()["iat"] - 60),
        "no end": issuer.token(without=("exp",)),
        "a beginning in two minutes": issuer.token(nbf=issuer.claims()["iat"] + 120),
        "another agent's audience": issuer.token(aud="agent:other"),
        "no audience": issuer.token(without=("aud",)),
        "another issuer": issuer.token(rsa, iss="https://portal.example.org"),
        "no issuer": issuer.token(without=("iss",)),
        "another purpose": issuer.token(purpose="login"),
        "no purpose": issuer.token(curve, without=("purpose",)),
    }


@probe("HOOK-1")
def whom_it_believes(context: Context) -> Outcome:
    """No token, each kind of bad one, and then good ones by both kinds of key."""
    with _bench(context, "token") as (bench, issuer):
        return _judged(_beliefs(bench, issuer), "401 for each wrong token, and nothing ran")


def _beliefs(bench: WebhookBench, issuer: Issuer) -> Iterator[str]:
    fire, second = bench.add_job(-30), bench.add_job(-30)
    for what, header in {
        "no header": None,
        "no scheme": issuer.token(),
        "Basic": "Basic x",
    }.items():
        yield from _got_in(bench, fire, what, bench.client.post(fire.content(), header))
    answers = {}
    for what, token in _bad_tokens(issuer).items():
        answers[what] = _fire(bench, fire, token)
        yield from _got_in(bench, fire, what, answers[what])
    said = {str(answer) for answer in answers.values()}
    if len(said) > 1:
        yield f"the 401 tells which check failed: {sorted(said)}"
    for key, one in zip(issuer.published, (fire, second), strict=True):
        answer = _fire(bench, one, issuer.token(key))
        if answer.status != ACCEPTED:
            yield f"a good token by {key.algorithm} was answered {answer}, not 202"
    if not bench.reaches(lambda: len(bench.ended) >= len(issuer.published)):
        yield "a fire with a good token was accepted and its job never ran"
    # What a refused fire had set going would have come before the good ones.
    if sorted(bench.runs) != sorted((fire.job_id, second.job_id)):
        yield f"the bodies ran {len(bench.runs)} times for two good fires"


def _got_in(bench: WebhookBench, fire: Fire, what: str, said: Said) -> Iterator[str]:
    """What is wrong after a fire that had to be refused."""
    if said.status != UNAUTHORIZED:
        yield f"a token with {what} was answered {said}, not 401"
    if bench.handed or bench.runs or bench.claim(fire.job_id):
        yield f"a token with {what} was answered 401 and started something"


@probe("HOOK-2")
def what_it_answers(context: Context) -> Outcome:
    """Requests that name no job, one that is huge, and a good one whose job does not end."""
    with _bench(context, "answers") as (bench, issuer):
        good = "400 for each bad body, 413 for a huge one, 202 while the run went on"
        return _judged(_answers(bench, f"Bearer {issuer.token()}"), good)


def _answers(bench: WebhookBench, header: str) -> Iterator[str]:
    fire = bench.add_job(-30)
    bad = [b"", b"{", b"[]", b"7", b"{}", b'{"job_id": ""}', b'{"job_id": 7}', b"\xff\xfe"]
    for body, expected in [
        (b'{"job_id": "' + b"a" * HUGE, TOO_LARGE),
        *((one, BAD) for one in bad),
    ]:
        said = bench.client.post(body, header)
        if said.status != expected:
            yield f"a body of {body[:20]!r} was answered {said}, not {expected}"
    if bench.handed or bench.runs:
        yield "a request that names no job started something"
    bench.hold(fire.job_id)
    said = bench.client.post(fire.content(), header)
    if bench.ended or said.status != ACCEPTED:
        yield f"a good fire whose job goes on running was answered {said}, not 202"
    if not bench.reaches(lambda: fire.job_id in bench.runs):
        yield "a fire was accepted and its job never ran"
    bench.let_go()
    if not bench.reaches(lambda: fire.job_id in bench.ended):
        yield "the run did not go on after the answer"


@probe("HOOK-3")
def which_keys_it_trusts(context: Context) -> Outcome:
    """Tokens by no key or by one of the caller's; keys that change, and a flood of unknown ids."""
    with _bench(context, "keys") as (bench, issuer):
        good = (
            f"keys fetched once for {MANY_FIRES} fires, at most {MOST_FETCHES_IN_A_FLOOD} times "
            f"for {FLOOD} unknown ids, and again when they had changed; nothing else is trusted"
        )
        return _judged(_trust(bench, issuer), good)


def _trust(bench: WebhookBench, issuer: Issuer) -> Iterator[str]:
    fire = bench.add_job(-30)
    for nth in range(MANY_FIRES):
        said = _fire(bench, fire, issuer.token(issuer.published[nth % 2]))
        if said.status in (None, UNAUTHORIZED):
            yield f"a good token was answered {said}"
    if len(issuer.fetches) != 1:
        yield f"{MANY_FIRES} fires fetched the keys {len(issuer.fetches)} times"
    for what, token in _tokens_by_no_key(issuer).items():
        if (said := _fire(bench, fire, token)).status != UNAUTHORIZED:
            yield f"a token {what} was answered {said}, not 401"
    if len(set(issuer.fetches)) != 1:
        yield "the host fetched the keys that a token had named"
    numbers = count()
    yield from _rotation(bench, issuer, fire, numbers)
    yield from _rotation(bench, issuer, fire, numbers)  # a flood shuts nobody out for good


def _tokens_by_no_key(issuer: Issuer) -> dict[str, str]:
    rsa, curve = issuer.published[:2]
    header = {"jwk": issuer.strange.public()}
    elsewhere = {"jku": issuer.strange_keys_url, "kid": issuer.strange.id}
    return {
        "without a signature, as none": issuer.unsigned("none"),
        "without a signature, as NONE": issuer.unsigned("nOnE"),
        "signed with the public RSA key as a secret": issuer.symmetric(rsa.pem()),
        "signed with the other public key as a secret": issuer.symmetric(curve.pem()),
        "signed with an empty secret": issuer.symmetric(b""),
        "signed with a secret": issuer.symmetric(secrets.token_bytes(32)),
        "by a key that it brings itself": issuer.token(issuer.strange, header=header),
        "by a key that it points at": issuer.token(issuer.strange, header=elsewhere),
    }


def _rotation(
    bench: WebhookBench, issuer: Issuer, fire: Fire, numbers: Iterator[int]
) -> Iterator[str]:
    """The issuer takes a new key, and a flood of unknown ids comes."""
    bench.pass_time(LONG_ENOUGH_S)
    fresh = ec_key(f"fresh-{next(numbers)}")
    issuer.published.append(fresh)
    said = _fire(bench, fire, issuer.token(fresh))
    if said.status in (None, UNAUTHORIZED):
        yield f"a token by a key that is new in the key set was answered {said}"
    before = len(issuer.fetches)
    for _ in range(FLOOD):
        unknown = issuer.token(issuer.strange, header={"kid": f"no-{next(numbers)}"})
        if (said := _fire(bench, fire, unknown)).status != UNAUTHORIZED:
            yield f"a token of an unknown key was answered {said}, not 401"
    fetched = len(issuer.fetches) - before
    if fetched > MOST_FETCHES_IN_A_FLOOD:
        yield f"{FLOOD} unknown key ids fetched the keys {fetched} times"


@probe("HOOK-4")
def what_an_answer_stands_for(context: Context) -> Outcome:
    """A claim on disk behind 202; 200 for what a retry cannot mend; 503 for what it can."""
    with _bench(context, "claims") as (bench, issuer):
        good = "a claim on disk behind 202; 200 for what cannot help; 503 while the store hurt"
        return _judged(_promises(bench, issuer), good)


def _promises(bench: WebhookBench, issuer: Issuer) -> Iterator[str]:
    token = issuer.token()
    fire, paused, early = bench.add_job(-30), bench.add_job(-30), bench.add_job(900)
    bench.pause(paused.job_id)
    said = _fire(bench, fire, token)
    if (said.status, said.word) != (ACCEPTED, "accepted"):
        yield f"a good fire was answered {said}, not 202 accepted"
    if not bench.reaches(lambda: fire.job_id in bench.ended):
        yield "a fire was accepted and its job never ran"
    else:  # what comes again is told apart from what is still on its way: that is ONCE-2's affair
        bench.reaches(lambda: fire.job_id in bench.returned)
    if not all(claim for _, claim in bench.handed):
        yield f"202 was said without a claim on disk: {bench.handed}"
    useless = {
        "a second delivery": (fire, "ignored"),
        "a paused job": (paused, "ignored"),
        "an occurrence long past": (Fire(early.job_id, fire.fire_at), "ignored"),
        "an occurrence in a quarter of an hour": (early, "ignored"),
        "a job that is gone": (Fire("nobody", fire.fire_at), "gone"),
    }
    for what, (one, word) in useless.items():
        said = _fire(bench, one, token)
        if (said.status, said.word) != (DONE, word):
            yield f"{what} was answered {said}, not 200 {word}: a retry is useless"
        elif word == "ignored" and not said.body.get("reason"):
            yield f"{what} was ignored without a reason: {said}"
    if len(bench.handed) != 1:
        yield "what was answered 200 was handed to the provider all the same"
    yield from _tried_again(bench, token, "unreadable")
    yield from _tried_again(bench, token, "unwritable")


def _tried_again(bench: WebhookBench, token: str, kind: StoreTrouble) -> Iterator[str]:
    """What is wrong with a fire that meets a store in trouble, and with its retry."""
    fire = bench.add_job(-30)
    with bench.trouble(kind) as was_felt:
        said = _fire(bench, fire, token)
        felt = was_felt()
    if said.status != LATER:
        why = "" if felt else " (and never wrote the store)"
        yield f"with a store that is {kind}, a fire was answered {said}, not 503{why}"
    if any(job_id == fire.job_id for job_id, _ in bench.handed):
        yield f"with a store that is {kind}, a fire was answered 503 and handed on"
    said = _fire(bench, fire, token)
    if said.status != ACCEPTED or not bench.reaches(lambda: fire.job_id in bench.ended):
        yield f"the retry after a store that was {kind} was answered {said}, or not run"


@probe("HOOK-5")
def side_by_side(context: Context) -> Outcome:
    """Eight jobs that hang, and a ninth."""
    with _bench(context, "side-by-side") as (bench, issuer):
        good = f"{HUNG} hung fires held up no other"
        return _judged(_neighbours(bench, issuer.token()), good)


def _neighbours(bench: WebhookBench, token: str) -> Iterator[str]:
    fires = [bench.add_job(-30) for _ in range(HUNG + 1)]
    *hung, last = fires
    bench.hold(*(fire.job_id for fire in hung))
    for nth, fire in enumerate(fires):
        said = _fire(bench, fire, token)
        if said.status != ACCEPTED:
            yield f"behind {nth} hung fires, another was answered {said}, not 202"
    if not bench.reaches(lambda: len(bench.runs) == len(fires)):
        yield f"of {len(fires)} fires, {len(bench.runs)} ran side by side"
    if not bench.reaches(lambda: last.job_id in bench.ended):
        yield f"behind {HUNG} hung fires, another job did not end"


def _judged(problems: Iterator[str], good: str) -> Outcome:
    """The first problem, if there is one; nothing is looked at after it."""
    problem = next(problems, None)
    return held(good) if problem is None else violated(problem)
