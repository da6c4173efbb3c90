"""The three calls that an agent makes to NAS, over one kept httpx client.

Only what WIRE.md promises counts as an answer: a page of HTML with status 200, as a proxy or a
login wall gives it, is an error like any other, because a job wrongly held to be armed never fires.
"""

import functools
import json
import ssl
import threading
from collections.abc import Mapping
from typing import Any

import httpx

from hermes_cron import auth

__all__ = ["NasCronClient", "NasCronClientError", "tls"]

_PROVISION_PATH = "/api/agent-cron/provision"
_CANCEL_PATH = "/api/agent-cron/cancel"
_LIST_PATH = "/api/agent-cron/list"

_CONNECT_TIMEOUT_S = 5.0


class NasCronClientError(RuntimeError):
    """A call to NAS failed: refused, no answer, or an answer that is not the contract's.

    Attributes:
        reason: A short code without variable text: "status-403", "transport-ReadTimeout",
            "answer", "token" or "url".
    """

    def __init__(self, message: str, *, reason: str = "unknown") -> None:
        super().__init__(message)
        self.reason = reason


class NasCronClient:
    """Arms, cancels and lists one-shots at a NAS portal.

    Thread-safe. Connecting is bounded by 5 s, then sending and each wait for more of the answer by
    `timeout_seconds`.
    """

    def __init__(self, portal_url: str, *, timeout_seconds: float = 15.0) -> None:
        self.portal_url = str(portal_url).rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._timeout = httpx.Timeout(
            timeout_seconds, connect=min(_CONNECT_TIMEOUT_S, timeout_seconds)
        ).as_dict()
        self._urls: dict[str, httpx.URL] = {}
        self._headers: dict[tuple[str, bytes], httpx.Headers] = {}
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None

    def provision(
        self, *, job_id: str, fire_at: str, agent_callback_url: str, dedup_key: str
    ) -> dict[str, Any]:
        """Arm one one-shot for the job, in place of any other one it has.

        Args:
            job_id: The job.
            fire_at: ISO 8601 with offset.
            agent_callback_url: Where NAS calls back, as configured.
            dedup_key: `job_id:fire_at`; the same one again changes nothing.

        Returns:
            NAS's answer, with a "schedule_id".

        Raises:
            NasCronClientError: It is not known to be armed.
        """
        body = {
            "job_id": job_id,
            "fire_at": fire_at,
            "agent_callback_url": agent_callback_url,
            "dedup_key": dedup_key,
        }
        answer = self._call("POST", _PROVISION_PATH, body)
        if not isinstance(answer.get("schedule_id"), str) or not answer["schedule_id"]:
            raise _not_the_contract(_PROVISION_PATH, 'no "schedule_id"')
        return answer

    def cancel(self, *, job_id: str) -> dict[str, Any]:
        """Cancel whatever is armed for the job; nothing armed is fine too.

        Raises:
            NasCronClientError: It may still be armed.
        """
        answer = self._call("POST", _CANCEL_PATH, {"job_id": job_id})
        if answer.get("ok", True) is not True:
            raise _not_the_contract(_CANCEL_PATH, '"ok" is not true')
        return answer

    def list_armed(self) -> list[dict[str, Any]]:
        """Return what NAS has armed for this agent: `{"job_id", "fire_at", "schedule_id"}` each.

        Raises:
            NasCronClientError: It is not known what is armed.
        """
        armed = self._call("GET", _LIST_PATH, None).get("armed")
        if not isinstance(armed, list) or not all(_is_arm(item) for item in armed):
            raise _not_the_contract(_LIST_PATH, '"armed" is not a list of {job_id, fire_at}')
        return armed

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def _call(self, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        token = self._access_token()
        try:
            response = self._client().send(self._request(method, path, token, body))
        except httpx.InvalidURL as error:
            raise NasCronClientError(
                f"{method} {path}: the portal URL {self.portal_url!r} is not a URL: {error}",
                reason="url",
            ) from error
        except Exception as error:  # whatever the transport raises, the call did not succeed
            kind = type(error).__name__
            raise NasCronClientError(
                f"{method} {path} failed: {kind}: {error}", reason=f"transport-{kind}"
            ) from error
        if not response.is_success:
            raise NasCronClientError(
                f"{method} {path} was answered {response.status_code}: {response.text[:200]}",
                reason=f"status-{response.status_code}",
            )
        return _json_object(path, response.content)

    def _access_token(self) -> str:
        """Return the agent's Nous token, refreshed by the host when it needs to be."""
        try:
            token = auth.resolve_nous_access_token()
        except Exception as error:  # a refresh goes over the network and fails like one
            raise NasCronClientError(
                f"no Nous access token: {type(error).__name__}: {error}", reason="token"
            ) from error
        if not token:
            raise NasCronClientError(
                "no Nous access token is stored: log in to the portal", reason="token"
            )
        return token

    def _request(
        self, method: str, path: str, token: str, body: Mapping[str, str] | None
    ) -> httpx.Request:
        """Build a request whole: merging it with a client's defaults would take as long again."""
        url = self._urls.get(path)
        if url is None:
            url = httpx.URL(self.portal_url + path)
            if url.scheme not in {"http", "https"} or not url.host:
                raise httpx.InvalidURL("http:// or https:// and a host are needed")
            self._urls[path] = url
        headers = self._common_headers(token, url.netloc).copy()
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
            headers["Content-Length"] = str(len(content))
        extensions = {"timeout": self._timeout}
        stream = httpx.ByteStream(content)
        return httpx.Request(method, url, headers=headers, stream=stream, extensions=extensions)

    def _common_headers(self, token: str, host: bytes) -> httpx.Headers:
        """Those of every call, kept while the token stands: httpx takes long to normalise them."""
        headers = self._headers.get((token, host))
        if headers is None:
            headers = httpx.Headers(
                {
                    "Host": host.decode(),
                    "Authorization": f"Bearer {token}",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": "hermes-cron",
                }
            )
            self._headers = {(token, host): headers}
        return headers

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                self._http = _Client(verify=tls(), follow_redirects=False)
            return self._http


class _NoCookies(httpx.Cookies):
    """Keeps none: NAS sets none, and to look for them in an answer takes a quarter of a call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them."""


class _Client(httpx.Client):
    """A client without cookies."""

    _none = _NoCookies()

    @property
    def cookies(self) -> httpx.Cookies:
        """Always empty."""
        return self._none

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        """Refused: a cookie set here would not be sent."""
        raise AttributeError(f"NAS is called without cookies, not with {cookies!r}")


@functools.lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """Return the certificates to trust; loading them costs 15 ms, so once per process."""
    return httpx.create_ssl_context()


def _json_object(path: str, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _not_the_contract(path, f"not JSON: {content[:80]!r}") from error
    if not isinstance(value, dict):
        raise _not_the_contract(path, f"a JSON {type(value).__name__}, not an object")
    return value


def _is_arm(item: object) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("job_id"), str)
        and bool(item["job_id"])
        and isinstance(item.get("fire_at"), str)
    )


def _not_the_contract(path: str, what: str) -> NasCronClientError:
    return NasCronClientError(f"{path}: the answer is not the contract's: {what}", reason="answer")
