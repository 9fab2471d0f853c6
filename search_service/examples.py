"""How each route is called with curl and with Python, for the documentation."""

from typing import Any

_SERVER = "http://127.0.0.1:8000"  # where nobody knows which one is asked
_API = f"{_SERVER}/api/v1"

_CURL = {
    "search": f"curl -s -F image=@beach.jpg -F k=3 -F class=person -F box=20,40,300,280 {_API}/search",
    "batch": f"""curl -s -H 'Content-Type: application/json' {_API}/search/batch \\
  -d '{{"queries": [{{"image_id": 12}}, {{"image_id": 40, "filters": {{"split": ["val"]}}}}]}}'""",
    "localize": f"curl -s -F image=@beach.jpg {_API}/localize",
    "images": f"curl -s '{_API}/images?class=dog&truncated=false&min_share=0.3&k=24'",
    "image": f"curl -s {_API}/images/12",
    "map": f"curl -s --compressed {_API}/map",
    "reload": f"curl -s -X POST {_API}/admin/reload",
    "stats": f"curl -s {_API}/admin/stats",
    "similar": f"curl -s '{_API}/images/12/similar?k=5&fold_duplicates=true'",
}
_GET = """import json, urllib.request

with urllib.request.urlopen("{address}") as response:
    print(json.load(response))"""
_POST = """import json, urllib.request

body = json.dumps({body}).encode()
request = urllib.request.Request("{address}", body, {{"Content-Type": "application/json"}})
with urllib.request.urlopen(request) as response:
    print(json.load(response))"""
_TWO_FOR_ONE_AGAINST = '{"positives": [{"image_id": 12}, {"image_id": 40}], "negatives": [{"image_id": 7}]}'

_PYTHON = {
    "search": _POST.format(address=f"{_API}/search", body=_TWO_FOR_ONE_AGAINST),
    "batch": _POST.format(
        address=f"{_API}/search/batch", body='{"queries": [{"image_id": 12}, {"image_id": 40}]}'
    ),
    "localize": _POST.format(address=f"{_API}/localize", body='{"image_id": 12, "box": [20, 40, 300, 280]}'),
    "images": _GET.format(address=f"{_API}/images?class=dog&k=24"),
    "image": _GET.format(address=f"{_API}/images/12"),
    "map": _GET.format(address=f"{_API}/map"),
    "reload": f"""import json, urllib.request

with urllib.request.urlopen("{_API}/admin/reload", data=b"") as response:
    print(json.load(response))""",
    "stats": _GET.format(address=f"{_API}/admin/stats"),
    "similar": _GET.format(address=f"{_API}/images/12/similar?k=5"),
}


def samples(name: str) -> dict[str, list[dict[str, str]]]:
    """A route's examples, as `x-codeSamples`, which documentation tools know."""
    return {
        "x-codeSamples": [{"lang": "curl", "source": _CURL[name]}, {"lang": "Python", "source": _PYTHON[name]}]
    }


def address_samples(spec: dict[str, Any], server: str) -> dict[str, Any]:
    """A specification whose examples call a server, such as `http://127.0.0.1:8000`."""

    def address(told: Any) -> Any:  # noqa: ANN401 - an operation, or what else stands beside one
        if "x-codeSamples" not in told:
            return told
        moved = [{**one, "source": one["source"].replace(_SERVER, server)} for one in told["x-codeSamples"]]
        return {**told, "x-codeSamples": moved}

    paths = {
        path: {name: address(told) for name, told in methods.items()} for path, methods in spec["paths"].items()
    }
    return {**spec, "paths": paths}
