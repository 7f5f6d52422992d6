"""A small Git LFS server for comparison: batch API, basic transfers, and an fsync before an upload is answered.

`python -m benchmarks.lfs_server FOLDER` prints the URL it listens on.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_MIME = "application/vnd.git-lfs+json"


class LfsServer:
    """Objects lie in `folder` under their oid."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def batch(self, request: Request) -> Response:
        asked = await request.json()
        objects: list[dict[str, Any]] = []
        for item in asked["objects"]:
            there = (self.folder / item["oid"]).exists()
            entry = {"oid": item["oid"], "size": item["size"], "authenticated": True}
            if asked["operation"] == "download" or not there:
                entry["actions"] = {asked["operation"]: {"href": f"{request.base_url}objects/{item['oid']}"}}
            objects.append(entry)
        return Response(json.dumps({"transfer": "basic", "objects": objects}), media_type=_MIME)

    async def put(self, request: Request) -> Response:
        target = self.folder / request.path_params["oid"]
        part = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        with part.open("wb", buffering=0) as file:
            async for block in request.stream():
                file.write(block)
            os.fsync(file.fileno())
        part.rename(target)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return Response()

    async def get(self, request: Request) -> Response:
        return FileResponse(self.folder / request.path_params["oid"])

    async def no_locks(self, _: Request) -> Response:
        return Response("{}", status_code=404, media_type=_MIME)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/objects/batch", self.batch, methods=["POST"]),
                Route("/objects/{oid}", self.put, methods=["PUT"]),
                Route("/objects/{oid}", self.get, methods=["GET"]),
                Route("/locks/verify", self.no_locks, methods=["POST"]),
            ]
        )


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(LfsServer(Path(sys.argv[1])).app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
