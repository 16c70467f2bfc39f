"""Writes a wheel: wheel.py VERSION PLATFORM BINARY FOLDER. Needs nothing but Python, and makes the same bytes again."""

import base64
import hashlib
import os
import sys
import time
import zipfile

version, platform, binary, folder = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), 315532800))[:6]
info = f"dynamo_server-{version}.dist-info"
tag = f"py3-none-{platform}"

files = {}
for name in sorted(os.listdir(os.path.join(here, "dynamo_server"))):
    if name.endswith(".py"):
        files[f"dynamo_server/{name}"] = open(os.path.join(here, "dynamo_server", name), "rb").read()
files["dynamo_server/bin/dynamo-server"] = open(binary, "rb").read()
readme = open(os.path.join(here, "README.md")).read()
files[f"{info}/METADATA"] = f"""Metadata-Version: 2.1
Name: dynamo-server
Version: {version}
Summary: An open database that speaks the Amazon DynamoDB API, as one binary
License: MIT OR Apache-2.0
Requires-Python: >=3.8
Classifier: Framework :: Pytest
Description-Content-Type: text/markdown

{readme}""".encode()
files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: packaging/wheel.sh\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
files[f"{info}/entry_points.txt"] = (
    b"[console_scripts]\ndynamo-server = dynamo_server:main\n\n[pytest11]\ndynamo_server = dynamo_server.pytest_plugin\n"
)

path = os.path.join(folder, f"dynamo_server-{version}-{tag}.whl")
record = []
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:

    def add(name, content):
        entry = zipfile.ZipInfo(name, moment)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100755 if "/bin/" in name else 0o100644) << 16
        wheel.writestr(entry, content)

    for name, content in files.items():
        add(name, content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(content)}\n")
    record.append(f"{info}/RECORD,,\n")
    add(f"{info}/RECORD", "".join(record).encode())
print(path)
