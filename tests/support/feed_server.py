"""Public price feeds over real sockets, in the shapes recorded from the real ones, with faults on demand."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from advisor.costs.feeds.known_feeds import FeedUrls

GPUHUNT_HEADER = (
    "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,"
    "provider_data"
)
SKYPILOT_HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice"


class FeedServer:
    """Serves `files` by path; use it with `with`. `statuses` answers a path with an error instead."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []
        feeds = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                feeds.asked.append(self.path)
                path = self.path.partition("?")[0]
                body = feeds.files.get(path, b"")
                self.send_response(feeds.statuses.get(path, 200 if path in feeds.files else 404))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FeedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def urls(self) -> FeedUrls:
        base = f"http://127.0.0.1:{self._server.server_address[1]}"
        paths = ("v3", "v8", "litellm.json", "exoscale", "data", "ecb.xml", "grid.json")
        return FeedUrls(*(f"{base}/{path}" for path in paths))

    def gpuhunt(self, provider: str, *rows: str, header: str = GPUHUNT_HEADER) -> None:
        """Publish a catalogue: a version file, and a zip under that version."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{provider}.csv", "\n".join([header, *rows, ""]))
        self.files[f"/v3/{provider}/version"] = b"20261120-01\n"
        self.files[f"/v3/{provider}/20261120-01/catalog.zip"] = packed.getvalue()

    def skypilot(self, provider: str, *rows: str, header: str = SKYPILOT_HEADER) -> None:
        self.files[f"/v8/{provider}/vms.csv"] = "\n".join([header, *rows, ""]).encode()

    def litellm(self, models: dict[str, Any]) -> None:
        sample = {"sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of ..."}}
        self.files["/litellm.json"] = json.dumps({**sample, **models}).encode()

    def exoscale(self, **prices: str) -> None:
        self.files["/exoscale"] = json.dumps(dict.fromkeys(("chf", "eur", "usd"), prices)).encode()

    def ecb(self, day: str, **rates: str) -> None:
        cubes = "\n".join(f"<Cube currency='{currency}' rate='{rate}'/>" for currency, rate in rates.items())
        envelope = f"<gesmes:subject>Reference rates</gesmes:subject><Cube><Cube time='{day}'>{cubes}</Cube></Cube>"
        self.files["/ecb.xml"] = f'<?xml version="1.0" encoding="UTF-8"?>{envelope}'.encode()

    def grid(self, **countries: tuple[int, float]) -> None:
        """An object by country, as co2.js keeps it."""
        entries = {
            key: {
                "country_code": key,
                "country_or_region": key,
                "year": year,
                "emissions_intensity_gco2_per_kwh": grams,
            }
            for key, (year, grams) in countries.items()
        }
        self.files["/grid.json"] = json.dumps(entries).encode()

    def eurostat(self, prices: dict[tuple[str, str, str], float], table: str = "nrg_pc_205") -> None:
        """JSON-stat as the real one: sparse values, eight dimensions, the last one running fastest."""
        bands = sorted({band for band, _, _ in prices})
        geos = sorted({geo for _, geo, _ in prices})
        times = sorted({time for _, _, time in prices})
        values = {
            str((bands.index(band) * len(geos) + geos.index(geo)) * len(times) + times.index(time)): price
            for (band, geo, time), price in prices.items()
        }
        codes = {
            "freq": ["S"], "siec": ["E7000"], "nrg_cons": bands, "unit": ["KWH"], "tax": ["X_VAT"],
            "currency": ["EUR"], "geo": geos, "time": times,
        }  # fmt: skip
        data = {
            "version": "2.0", "class": "dataset", "source": "ESTAT", "value": values, "id": list(codes),
            "size": [len(code) for code in codes.values()],
            "dimension": {
                name: {"category": {
                    "index": {code: at for at, code in enumerate(of)},
                    "label": {code: f"label of {code}" for code in of},
                }}
                for name, of in codes.items()
            },
        }  # fmt: skip
        self.files[f"/data/{table}"] = json.dumps(data).encode()
