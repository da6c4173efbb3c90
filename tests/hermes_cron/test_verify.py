"""The check of a fire token: HOOK-1 and HOOK-3 of CONTRACT.md."""

import base64
import json
import time
from unittest import mock

import httpx
import jwt
import pytest
import respx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hermes_cron import clock, process
from hermes_cron.plugins.chronos import verify
from hermes_cron.plugins.chronos._nas_client import tls
from hermes_cron.plugins.chronos.verify import get_fire_verifier, verify_nas_fire_token

URL = "https://portal.example.test/jwks.json"
AUDIENCE, ISSUER = "agent:me", "https://portal.example.test"
KEYS = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
}
KEYS["RS384"] = KEYS["RS512"] = KEYS["RS256"]
OTHER = ec.generate_private_key(ec.SECP256R1())


def jwk(private, kid, **more):
    kind = jwt.algorithms.RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else None
    kind = kind or jwt.algorithms.ECAlgorithm
    return json.loads(kind.to_jwk(private.public_key())) | {"kid": kid} | more


def pem(private):
    return (
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )


def token(algorithm="ES256", key=None, kid="k", *, drop=(), **claims):
    now = int(time.time())
    body = {
        "aud": AUDIENCE,
        "iss": ISSUER,
        "purpose": "cron_fire",
        "iat": now,
        "nbf": now,
        "exp": now + 90,
    } | claims
    for name in drop:
        del body[name]
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(body, key or KEYS[algorithm], algorithm, headers=headers)


def check(text, key=None, **more):
    arguments = {"expected_audience": AUDIENCE, "issuer": ISSUER} | more
    return verify_nas_fire_token(token=text, jwks_or_key=key or pem(KEYS["ES256"]), **arguments)


class Portal:
    """The key set at its URL; counts how often it is fetched."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.fetched = 0
        self.answer = None

    def __call__(self, request):
        self.fetched += 1
        if self.answer is not None:
            return self.answer
        return httpx.Response(200, json={"keys": self.keys})


@pytest.fixture
def portal(monkeypatch):
    state = process.ProcessState(pid=1, boot_id="b", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    portal = Portal(jwk(KEYS["ES256"], "k"))
    portal.now_s = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: portal.now_s)
    with respx.mock(assert_all_called=False) as router:
        router.get(URL).mock(side_effect=portal)
        portal.router = router
        yield portal


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384"])
@pytest.mark.parametrize("form", ["pem", "mapping", "text", "url"])
def test_a_good_token_gives_its_claims(portal, algorithm, form):
    key = KEYS[algorithm]
    document = {"keys": [jwk(OTHER, "other"), jwk(key, "k")]}
    portal.keys = document["keys"]
    forms = {"pem": pem(key), "mapping": document, "text": json.dumps(document), "url": URL}
    claims = check(token(algorithm), forms[form])
    assert claims is not None
    assert claims["aud"] == AUDIENCE


def test_the_verifier_is_that_function():
    assert get_fire_verifier() is verify.verify_nas_fire_token


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "agent:other"},
        {"aud": ""},
        {"iss": "https://evil.test"},
        {"purpose": "login"},
        {"purpose": None},
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 9_999_999_999},
        {"drop": ("aud",)},
        {"drop": ("iss",)},
        {"drop": ("exp",)},
        {"drop": ("purpose",)},
        pytest.param({"key": OTHER}, id="another key"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_without_a_word(claims):
    assert check(token(**claims)) is None


def test_the_leeway_is_for_clocks_that_are_apart():
    now = int(time.time())
    assert check(token(exp=now - 20)) is not None
    assert check(token(nbf=now + 20, iat=now + 20)) is not None
    assert check(token(exp=now - 40)) is None
    assert check(token(exp=now - 20), leeway_seconds=0) is None


def test_without_an_issuer_it_is_not_asked_for():
    assert check(token(drop=("iss",)), issuer=None) is not None
    assert check(token(iss="https://other.test"), issuer="") is not None


@pytest.mark.parametrize("text", [None, "", "x", "a.b.c", 5, b"x", "." * 20_000, "e30.e30.e30"])
def test_what_is_no_token(text):
    assert check(text) is None


@pytest.mark.parametrize("key", [None, "", {}, {"keys": 5}, {"keys": []}, "no pem", "{", "[]", 42])
def test_without_a_usable_key_everything_is_refused(key):
    arguments = {"expected_audience": AUDIENCE, "issuer": ISSUER}
    assert verify_nas_fire_token(token=token(), jwks_or_key=key, **arguments) is None


def test_without_an_audience_everything_is_refused():
    assert check(token(aud=""), expected_audience="") is None


def unsigned(header):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    body = jwt.decode(token(), options={"verify_signature": False})
    return f"{part(header)}.{part(body)}."


LASTING = token(purpose="login", exp=9_999_999_999)
PUBLIC = pem(KEYS["ES256"])
ALGORITHMS = "RS256, RS384, RS512, ES256, ES384"


@pytest.mark.parametrize(
    ("text", "key", "audience", "why"),
    [
        ("x", None, AUDIENCE, "ValueError: no key is configured (cron.chronos.nas_jwks_url)"),
        ("x", PUBLIC, "", "ValueError: no audience is configured (cron.chronos.expected_audience)"),
        (None, PUBLIC, AUDIENCE, "ValueError: no token, or one of more than 16 KiB"),
        ("", PUBLIC, AUDIENCE, "ValueError: no token, or one of more than 16 KiB"),
        (5, PUBLIC, AUDIENCE, "ValueError: no token, or one of more than 16 KiB"),
        ("." * 16385, PUBLIC, AUDIENCE, "ValueError: no token, or one of more than 16 KiB"),
        (
            unsigned({"alg": "HS256"}),
            PUBLIC,
            AUDIENCE,
            f"ValueError: algorithm 'HS256' is none of {ALGORITHMS}",
        ),
        (
            LASTING,
            PUBLIC,
            AUDIENCE,
            "ValueError: purpose 'login' is not 'cron_fire'",
        ),
        (token(), {"keys": 5}, AUDIENCE, 'TypeError: the key set is not {"keys": [...]}'),
        (
            token(),
            {"keys": []},
            AUDIENCE,
            "LookupError: 0 keys of the key set fit key id 'k'",
        ),
    ],
    ids=[
        "key",
        "audience",
        "none",
        "empty",
        "number",
        "long",
        "algorithm",
        "purpose",
        "set",
        "kid",
    ],
)
def test_why_it_was_refused_is_said_in_the_log(caplog, text, key, audience, why):
    assert verify_nas_fire_token(token=text, expected_audience=audience, jwks_or_key=key) is None
    assert [one.getMessage() for one in caplog.records] == [f"cron fire refused: {why}"]


def test_a_token_of_16_kib_is_looked_at(caplog):
    assert check("." * 16384) is None
    assert "16 KiB" not in caplog.text


def test_the_clocks_may_be_half_a_minute_apart():
    with mock.patch("jwt.decode", wraps=jwt.decode) as decoded:
        assert check(token()) is not None
    assert decoded.call_args.kwargs["leeway"] == 30


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "EdDSA", "PS256", "", None, 5])
def test_other_algorithms_are_refused(algorithm):
    assert check(unsigned({"alg": algorithm, "typ": "JWT"})) is None


def test_a_good_signature_by_another_algorithm_is_refused(portal):
    """And no key is fetched for it."""
    portal.keys = [jwk(KEYS["RS256"], "k")]
    assert check(token("PS256", key=KEYS["RS256"]), URL) is None
    assert check(token("PS256", key=KEYS["RS256"]), pem(KEYS["RS256"])) is None
    assert portal.fetched == 0
    assert check(token("RS256"), URL) is not None


def test_the_public_key_is_no_shared_secret():
    """The classic forgery: an HMAC with the public key as its secret."""
    import hashlib
    import hmac

    secret = pem(KEYS["ES256"])
    text = unsigned({"alg": "HS256", "typ": "JWT"})[:-1]
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    assert check(f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}", secret) is None


def test_a_key_is_for_its_own_kind_of_algorithm(portal):
    portal.keys = [jwk(KEYS["RS256"], "k")]
    assert check(token("ES256"), URL) is None


def test_a_key_that_is_not_for_signatures_is_not_used(portal):
    portal.keys = [jwk(KEYS["ES256"], "k", use="enc")]
    assert check(token(), URL) is None


def test_odd_keys_do_not_spoil_the_others(portal):
    portal.keys = [5, {}, {"kty": "RSA"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, *portal.keys]
    assert check(token(), URL) is not None


def test_a_token_without_a_key_id_needs_a_set_of_one(portal):
    assert check(token(kid=None), URL) is not None
    portal.keys.append(jwk(OTHER, "other"))
    portal.now_s += 4000
    assert check(token(kid=None), URL) is None


@pytest.mark.parametrize("form", [" {} ", "\n{}\n"])
def test_a_key_may_stand_among_spaces(portal, form):
    document = json.dumps({"keys": portal.keys})
    for key in (URL, document, pem(KEYS["ES256"])):
        assert check(token(), form.replace("{}", key)) is not None


def test_a_key_that_says_that_it_is_for_signatures_is_used(portal):
    portal.keys = [jwk(KEYS["ES256"], "k", use="sig")]
    assert check(token(), URL) is not None


class TestFetching:
    def test_with_the_certificates_of_the_host_and_no_detours(self, portal):
        with mock.patch("httpx.get", wraps=httpx.get) as got:
            assert check(token(), URL)
        assert got.call_args.args == (URL,)
        assert got.call_args.kwargs == {"timeout": 5, "follow_redirects": False, "verify": tls()}

    def test_each_url_has_keys_of_its_own(self, portal):
        assert check(token(), URL)
        plain = URL.replace("https:", "http:")
        portal.router.get(plain).respond(json={"keys": [jwk(OTHER, "k")]})
        assert check(token(key=OTHER), plain)
        assert check(token(key=OTHER), URL) is None
        assert check(token(), URL)

    def test_the_times_between_fetches(self, portal):
        """An hour for keys that are known, 30 s for ids that are not, 2 s after a failure."""
        assert check(token(), URL)
        for wait_s, fetched in [(3599.9, 1), (0.1, 2), (3600, 3)]:
            portal.now_s += wait_s
            assert check(token(), URL)
            assert portal.fetched == fetched
        for wait_s, fetched in [(0, 4), (29.9, 4), (0.1, 5)]:
            portal.now_s += wait_s
            assert check(token(kid="forged"), URL) is None
            assert portal.fetched == fetched
        portal.answer = httpx.Response(500)
        for wait_s, fetched in [(30, 6), (1.9, 6), (0.1, 7)]:
            portal.now_s += wait_s
            assert check(token(kid="forged"), URL) is None
            assert portal.fetched == fetched
        portal.now_s += 3600
        for wait_s, fetched in [(0, 8), (1.9, 8), (0.1, 9)]:
            portal.now_s += wait_s
            assert check(token(), URL)
            assert portal.fetched == fetched

    def test_once_for_many_fires(self, portal):
        """#64641."""
        assert all(check(token(), URL) for _ in range(5))
        assert portal.fetched == 1

    def test_once_for_fires_at_the_same_time(self, portal):
        import threading

        results = []
        threads = [
            threading.Thread(target=lambda: results.append(check(token(), URL))) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(results)
        assert portal.fetched == 1

    def test_again_for_a_key_id_that_is_not_known_at_a_bounded_rate(self, portal):
        assert check(token(), URL)
        portal.keys = [jwk(OTHER, "new")]
        assert check(token(key=OTHER, kid="new"), URL), "rotation is seen at once"
        assert portal.fetched == 2
        for n in range(50):
            assert check(token(kid=f"forged-{n}"), URL) is None
        assert portal.fetched == 2
        portal.now_s += 31
        assert check(token(kid="forged"), URL) is None
        assert portal.fetched == 3
        assert check(token(), URL) is None, "the old key is gone"

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500),
            httpx.Response(302, headers={"location": URL}),
            httpx.Response(200, html="<p>sign in"),
            httpx.Response(200, json=[]),
        ],
        ids=["500", "302", "html", "list"],
    )
    def test_a_failing_fetch_refuses_and_is_tried_again_soon(self, portal, answer, caplog):
        portal.answer = answer
        for _ in range(10):
            assert check(token(), URL) is None
        assert portal.fetched == 1
        assert caplog.text.count("refused: LookupError: 0 keys of the key set fit key id 'k'") == 10
        portal.answer = None
        portal.now_s += 3
        assert check(token(), URL) is not None

    def test_what_is_no_key_set_is_said(self, portal, caplog):
        portal.answer = httpx.Response(200, json=[])
        assert check(token(), URL) is None
        assert f'at {URL} cannot be had: the key set is not {{"keys": [...]}}' in caplog.text

    def test_known_keys_serve_while_the_portal_is_down(self, portal):
        assert check(token(), URL)
        portal.answer = httpx.Response(500)
        portal.now_s += 4000
        assert check(token(), URL)
        assert portal.fetched == 2
