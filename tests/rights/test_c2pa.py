"""C2PA manifests: reservations, license and author, whatever the signature is worth; and never over the network."""

import base64
import datetime
import http.server
import io
import resource
import socket
import struct
import sys
import threading
import time

import pytest
from PIL import Image

from assets.rights.blocks import FILE_LIMITS
from assets.rights.c2pa import MAX_STORE, Manifest, read_manifest
from assets.rights.xmp import UnreadableError
from tests.rights.conftest import reservations_in
from tests.rights.image_files import BY, chunk, credits_in, found, in_jpeg, in_png, packet, read, segment

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><path d="M0 0"/></svg>'
NOT_ALLOWED = {"cawg.ai_training": {"use": "notAllowed"}}


IN_2120 = datetime.datetime(2120, 1, 1)


def mining(entries, label="cawg.training-mining") -> dict:
    return {"label": label, "data": {"entries": entries}}


def _certificate(name, key, issuer, issuer_key, until):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(common):
        attributes = ((NameOID.ORGANIZATION_NAME, "Sample Studio"), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])

    ca = name == issuer
    certificate = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(1 + ca)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), critical=True)
    )
    if not ca:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        certificate = certificate.add_extension(usage, critical=True)
    return certificate.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def sign():
    """Signs a small image with assertions, under a certificate of nobody's."""
    c2pa = pytest.importorskip("c2pa")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    key = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    plain = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})

    def signed(*assertions, format="jpeg", remote=None, embedded=True, ingredient=None, until=IN_2120) -> bytes:
        chain = b"".join(_certificate(*named, "root", root, until) for named in (("signer", leaf), ("root", root)))
        source, out = io.BytesIO(SVG if format == "svg+xml" else b""), io.BytesIO()
        if format != "svg+xml":
            Image.new("RGB", (16, 16), (10, 80, 30)).save(source, format)
            source.seek(0)
        kind = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
        action = {"action": "c2pa.created", "digitalSourceType": kind}
        actions = {"label": "c2pa.actions", "data": {"actions": [action]}}
        generator = [{"name": "test", "version": "1"}]
        builder = c2pa.Builder({"claim_generator_info": generator, "assertions": [actions, *assertions]}, context=plain)
        if remote:
            builder.set_remote_url(remote)
        if not embedded:
            builder.set_no_embed()
        if ingredient:
            described = {"title": "part", "relationship": "componentOf"}
            builder.add_ingredient(described, "image/jpeg", io.BytesIO(ingredient))
        info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None)
        builder.sign(c2pa.Signer.from_info(info), f"image/{format}", source, out)
        return out.getvalue()

    return signed


def rows(evidence) -> list[dict]:
    return evidence.reservation_evidence.to_pylist()


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "tiff", "avif", "svg+xml"])
def test_an_opt_out_is_read_from_every_container_at_its_place(sign, format):
    data = sign(mining(NOT_ALLOWED), format=format)
    evidence = read(data)
    assert reservations_in(evidence) == {("c2pa_cawg", "ai_train", "reserved")}
    row = rows(evidence)[0]
    assert row["value"] == "validation=Valid; trust=unchecked; cawg.ai_training=notAllowed"
    raw = data[row["byte_start"] : row["byte_end"]]
    assert b"training-mining" in (raw if format != "svg+xml" else base64.b64decode(raw.partition(b">")[2]))
    assert len(raw) < len(data)


USES = [
    ("data_mining", {"use": "notAllowed"}, "tdm", "reserved"),
    ("ai_training", {"use": "allowed"}, "ai_train", "allowed"),
    ("ai_generative_training", {"use": "constrained"}, "ai_gen_train", "reserved"),
    ("ai_generative_training", {"use": "constrained", "constraint_info": "ask us"}, "ai_gen_train", "conditional"),
    ("ai_inference", {"use": "constrained", "constraints_info": "ask us"}, "ai_input", "conditional"),
    ("ai_training", {"use": "maybe"}, "ai_train", "conditional"),
    ("ai_training", {}, "ai_train", "conditional"),
]


@pytest.mark.parametrize(("name", "entry", "usage", "decision"), USES)
@pytest.mark.parametrize("prefix", ["cawg", "c2pa"])
def test_entries_are_decided_alike_under_the_present_and_the_legacy_label(sign, prefix, name, entry, usage, decision):
    evidence = read(sign(mining({f"{prefix}.{name}": entry}, f"{prefix}.training-mining")))
    rule = {"cawg": "c2pa_cawg", "c2pa": "c2pa_legacy"}[prefix]
    assert reservations_in(evidence) == {(rule, usage, decision)}


@pytest.mark.parametrize("data", [
    {"entries": [{"name": "cawg.data_mining", "use": "notAllowed"}]},
    {"entries": [{"cawg.data_mining": {"use": "notAllowed"}}]},
    {"entries": {"cawg.data_mining": "notAllowed"}},
    {"cawg.data_mining": {"use": "notAllowed"}},
])  # fmt: skip
def test_entries_may_be_a_list_bare_words_or_the_assertion_itself(sign, data):
    evidence = read(sign({"label": "cawg.training-mining", "data": data}))
    assert reservations_in(evidence) == {("c2pa_cawg", "tdm", "reserved")}


def test_every_instance_of_the_assertion_is_heard(sign):
    allowed, denied = ({"cawg.data_mining": {"use": use}} for use in ("allowed", "notAllowed"))
    evidence = read(sign(mining(allowed), mining(denied)))
    assert reservations_in(evidence) == {("c2pa_cawg", "tdm", "allowed"), ("c2pa_cawg", "tdm", "reserved")}


def test_an_assertion_without_entries_may_restrict(sign):
    assert reservations_in(read(sign(mining({})))) == {("c2pa_cawg", "tdm", "conditional")}


def test_entries_of_somebodys_own_decide_nothing(sign):
    evidence = read(sign(mining({"example.printing": {"use": "notAllowed"}})))
    assert reservations_in(evidence) == {("c2pa_cawg", "tdm", "unknown")}


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_a_changed_file_still_reserves_and_no_longer_permits(sign, format):
    uses = {"cawg.ai_training": {"use": "notAllowed"}, "cawg.data_mining": {"use": "allowed"}}
    data = bytearray(sign(mining(uses), format=format))
    data[-24] ^= 1
    evidence = read(bytes(data))
    assert reservations_in(evidence) == {("c2pa_cawg", "ai_train", "reserved"), ("c2pa_cawg", "tdm", "unknown")}
    start = "validation=Invalid (assertion.dataHash.mismatch); trust=unchecked; "
    assert [row["value"].startswith(start) for row in rows(evidence)] == [True, True]


@pytest.mark.slow
def test_a_file_reads_the_same_when_its_certificate_has_expired(sign):
    soon = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=3)
    data = sign(mining({"cawg.ai_training": {"use": "allowed"}}), until=soon)
    before = rows(read(data))
    time.sleep(4)
    assert rows(read(data)) == before
    assert before[0]["decision"] == "allowed"
    changed = rows(read(data[:-24] + bytes([data[-24] ^ 1]) + data[-23:]))
    assert changed[0]["decision"] == "unknown"


def test_a_changed_assertion_is_no_permission(sign):
    data = sign(mining({"cawg.ai_training": {"use": "notAllowed"}}))
    evidence = read(data.replace(b"notAllowed", b"not-in-use"))
    assert reservations_in(evidence) == {("c2pa_cawg", "ai_train", "conditional")}
    assert "assertion.hashedURI.mismatch" in rows(evidence)[0]["value"]


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_a_manifest_cut_short_is_no_permission(sign, format):
    data = sign(mining({"cawg.ai_training": {"use": "allowed"}}), format=format)
    behind, before = data.index(b"training-mining") + 200, data.index(b"c2pa") + 40
    assert reservations_in(read(data[:behind])) == {("c2pa_unread", "tdm", "conditional")}
    assert {decision for _, _, decision in reservations_in(read(data[:before]))} <= {"unknown"}


def test_a_manifest_with_broken_assertions_is_no_permission(sign):
    data = sign(mining({"cawg.ai_training": {"use": "allowed"}}))
    at = data.index(b"cawg.ai_training")
    evidence = read(data[: at - 3] + b"\xff\xff\xff" + data[at:])
    assert reservations_in(evidence) == {("c2pa_unread", "tdm", "conditional")}


def test_a_manifest_of_an_ingredient_is_about_another_asset(sign):
    ingredient = sign(mining(NOT_ALLOWED))
    data = sign(ingredient=ingredient)
    assert b"training-mining" in data
    assert reservations_in(read(data)) == set()


def test_a_creative_work_names_author_and_license_as_surely_as_its_signature(sign):
    work = {
        "@context": "https://schema.org",
        "@type": "CreativeWork",
        "author": [{"@type": "Person", "name": "Ann"}, {"@type": "Person", "name": "Bob"}],
        "license": BY,
        "copyrightNotice": "© Ann",
        "acquireLicensePage": "http://a.example/buy",
    }
    data = sign({"label": "stds.schema-org.CreativeWork", "data": work})
    evidence = read(data)
    assert found(evidence) == {("c2pa_creative_work", "CC-BY-4.0")}
    assert credits_in(evidence) == {
        ("creator", "Ann"),
        ("creator", "Bob"),
        ("copyright_notice", "© Ann"),
        ("license_url", "http://a.example/buy"),
    }
    changed = read(data[:-24] + bytes([data[-24] ^ 1]) + data[-23:])
    sure = [e.license_evidence.to_pylist()[0]["confidence"] for e in (evidence, changed)]
    assert sure == pytest.approx([0.8, 0.5])


def test_signed_metadata_is_read_by_namespace(sign):
    metadata = {
        "@context": {
            "d": "http://purl.org/dc/elements/1.1/",
            "rights": "http://ns.adobe.com/xap/1.0/rights/",
            "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
        },
        "d:creator": ["Ann"],
        "d:rights": {"x-default": "© Ann"},
        "rights:WebStatement": BY,
        "plus:DataMining": "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED",
        "plus:Licensor": [{"plus:LicensorURL": "http://a.example/buy"}],
    }
    evidence = read(sign({"label": "cawg.metadata", "data": metadata}))
    assert found(evidence) == {("c2pa_creative_work", "CC-BY-4.0")}
    assert reservations_in(evidence) == {("plus_data_mining", "tdm", "reserved")}
    credits = {("creator", "Ann"), ("copyright_notice", "© Ann"), ("license_url", "http://a.example/buy")}
    assert credits_in(evidence) == credits | {("license_url", BY)}


def test_a_manifest_reserves_and_credits_where_no_more_words_are_searched_for_licenses(sign, monkeypatch):
    work = {"@type": "CreativeWork", "creator": "Ann", "license": BY}
    data = sign({"label": "stds.schema-org.CreativeWork", "data": work}, mining(NOT_ALLOWED))
    monkeypatch.setitem(FILE_LIMITS, "words", len(BY) - 1)
    evidence = read(data)
    assert found(evidence) == {("metadata_unread", "NOASSERTION")}
    assert credits_in(evidence) == {("creator", "Ann")}
    assert reservations_in(evidence) == {("c2pa_cawg", "ai_train", "reserved")}


def test_a_signed_file_says_what_its_other_metadata_say(sign):
    comment = segment(0xFE, b"(c) Ann, CC BY 4.0")
    data = sign(mining(NOT_ALLOWED))
    evidence = read(data[:2] + comment + data[2:])
    assert found(evidence) == {("jpeg_comment", "CC-BY-4.0")}
    assert reservations_in(evidence) == {("c2pa_cawg", "ai_train", "reserved")}


@pytest.fixture
def asked():
    """Address of a manifest on a local server, and the list of what it was asked for."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            requests.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/manifest.c2pa", requests
    server.shutdown()
    server.server_close()


def test_a_manifest_elsewhere_is_not_fetched(sign, asked):
    address, requests = asked
    data = sign(mining(NOT_ALLOWED), remote=address, embedded=False)
    with pytest.raises(UnreadableError):
        read_manifest(data, 100)
    read(data)
    both = sign(mining(NOT_ALLOWED), remote=address)
    assert reservations_in(read(both)) == {("c2pa_cawg", "ai_train", "reserved")}
    assert requests == []
    import c2pa

    with pytest.raises(c2pa.C2paError):
        c2pa.Reader("image/jpeg", io.BytesIO(data))
    assert requests == ["/manifest.c2pa"], "the library's own settings fetch it, so the file does ask for it"


def test_the_same_is_read_where_no_socket_can_be_made(sign):
    """With no file descriptor left, neither Python nor the library can open a connection."""
    data = sign(mining(NOT_ALLOWED), remote="http://127.0.0.1:9/manifest.c2pa")
    before = rows(read(data))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            socket.socket()
        after = rows(read(data))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert after == before
    assert before[0]["decision"] == "reserved"


def test_a_file_of_many_stores_is_read_once(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "assets.rights.image_rules.read_manifest", lambda file, size: asked.append(size) or Manifest("", True)
    )
    data = in_png(*[chunk(b"caBX", MINING)] * 1000)
    read(data)
    assert asked == [1000 * len(MINING)]


def test_a_store_that_is_too_large_is_unread(sign):
    with pytest.raises(UnreadableError, match="too large"):
        read_manifest(sign(mining(NOT_ALLOWED)), MAX_STORE + 1)


@pytest.fixture
def without_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)


def jumbf(text: bytes) -> bytes:
    content = b"jumb" + b"c2pa\0" + text
    return struct.pack(">I", len(content) + 4) + content


def segments(store: bytes, cut: int) -> list[bytes]:
    """JUMBF in two segments of a JPEG: the second repeats the header of the box (ISO/IEC 19566-5, annex D)."""
    header = b"JP\0\1" + struct.pack(">I", 1), b"JP\0\1" + struct.pack(">I", 2) + store[:8]
    return [segment(0xEB, header[0] + store[:cut]), segment(0xEB, header[1] + store[cut:])]


def bmff(store: bytes) -> bytes:
    content = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + store
    return b"\0\0\0\x10ftypavif\0\0\0\0" + struct.pack(">I", len(content) + 8) + b"uuid" + content


MINING = jumbf(b"cawg.training-mining")


@pytest.mark.parametrize("data", [
    in_jpeg(*segments(MINING, 25)),
    in_png(chunk(b"caBX", MINING)),
    b"RIFF\0\0\0\0WEBPC2PA" + struct.pack("<I", len(MINING)) + MINING,
    bmff(MINING),
    SVG.replace(b"<path", b"<c2pa:manifest>" + base64.b64encode(MINING) + b"</c2pa:manifest><path"),
])  # fmt: skip
def test_without_the_extra_a_label_in_the_bytes_is_no_permission(without_extra, data):
    evidence = read(data)
    assert reservations_in(evidence) == {("c2pa_unread", "tdm", "conditional")}
    row = rows(evidence)[0]
    assert row["value"] == "a training-mining assertion is there, but the extra c2pa is not installed"
    assert 0 < row["byte_start"] < row["byte_end"] <= len(data)


def test_without_the_extra_a_manifest_that_names_no_training_says_nothing(without_extra):
    for data in (in_jpeg(*segments(jumbf(b"c2pa.actions" * 9), 60)), in_png(chunk(b"caBX", jumbf(b"c2pa.actions")))):
        assert reservations_in(read(data)) == set()


def test_jumbf_that_is_no_c2pa_is_left_alone():
    assert reservations_in(read(in_jpeg(*segments(MINING.replace(b"c2pa", b"j360"), 25)))) == set()


def test_a_label_outside_of_a_manifest_is_no_assertion(without_extra):
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + packet("<dc:title>training-mining</dc:title>").encode()
    assert reservations_in(read(in_jpeg(segment(0xE1, xmp)))) == set()
