"""GIT_LEPTON_TOKEN and git's own helper for http: the helper gets it for the one server that it may go to, and where it was no help
the user is told why, which git cannot know."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_lepton.errors import LeptonError
    from git_lepton.settings import Settings

# What git's helper asks where the token was refused. It must not ask the user's own credential helpers: it would take the refusal
# for one of what they keep, and make them forget it. This one answers at once, so that git says "Authentication failed".
_REFUSED = "!echo username=x-token; echo password=refused; :"


def with_token(settings: Settings, address: str) -> Mapping[str, str]:
    """The environment for git's helper: ours, with the token for this server alone where it may go there."""
    environment = settings.environment
    if not settings.token:
        return environment
    location = settings.location_of_url(address)
    if not location.token_allowed:
        return environment
    import base64

    basic = base64.b64encode(f"x-token:{settings.token}".encode()).decode()
    settings_of_git = [
        (f"http.{location.url}/.extraHeader", f"Authorization: Basic {basic}"),
        ("credential.helper", ""),  # none of those before
        ("credential.helper", _REFUSED),
    ]
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    added = {"GIT_CONFIG_COUNT": str(count + len(settings_of_git)), "GIT_TERMINAL_PROMPT": "0"}
    for number, (key, value) in enumerate(settings_of_git, count):
        added |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**environment, **added}


def why_it_failed(settings: Settings, address: str) -> LeptonError | None:
    """What is to be said of the token after git's helper has failed; None where it is not to blame."""
    if not settings.token:
        return None
    location = settings.location_of_url(address)
    if not location.token_allowed:
        if location.origin != "submodule" or settings.token_host:
            return None
        from git_lepton.transfer.http.refusals import LoginNeeded

        return LoginNeeded(
            f"GIT_LEPTON_TOKEN was not sent to {location.authority}: its address may be a superproject's word, not yours",
            f"If that host may have it: GIT_LEPTON_HOST={location.authority}",
        )
    from git_lepton.errors import LeptonError
    from git_lepton.transfer.http.refusals import LoginNeeded
    from git_lepton.transfer.http.retries import Patience
    from git_lepton.transfer.remote_store import connect

    remote = connect(location, settings, Patience(total_s=0, first_contact_s=0, fewest_attempts=1))
    try:
        remote.account()
    except LoginNeeded as error:
        return error
    except LeptonError:
        return None  # of that git has spoken
    finally:
        remote.close()
    return None
