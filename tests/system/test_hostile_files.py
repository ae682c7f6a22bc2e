"""test_hostile_files.py — Chromium meets files that want to act in the site's name, and pages that want to act in a user's."""
import hashlib
import time

import pytest
from selenium.common.exceptions import WebDriverException

from hostile_files import CSS, FILES, GIF_JS, HTML, JPEG_HTML, JS, PDF_ZIP
from processes import free_port
from stack import token

# The site's own page; /shown/… and /bare/… are its files as they would be if our answers said less.
SITE = """
location = /page {{ default_type text/html; return 200 '<!DOCTYPE html><title>site</title><body></body>'; }}
location = /mark {{ return 204; }}
location ^~ /shown/ {{ rewrite ^/shown(/.*)$ $1 break; proxy_pass http://127.0.0.1:$server_port;
  proxy_hide_header Content-Disposition; }}
location ^~ /bare/ {{ rewrite ^/bare(/.*)$ $1 break; proxy_pass http://127.0.0.1:$server_port;
  proxy_hide_header Content-Disposition; proxy_hide_header Content-Security-Policy;
  proxy_hide_header X-Content-Type-Options; }}
"""
FOREIGN = """server {{ listen 127.0.0.1:{port};
  location = /mark {{ return 204; }}
  location / {{ default_type text/html; return 200 '<!DOCTYPE html><title>foreign</title><body></body>'; }} }}"""


class Site:
    def __init__(self, stack, port):
        self.stack = stack
        self.sister = f"http://127.0.0.1:{port}"  # another port: another origin of the same site
        self.foreign = f"http://localhost:{port}"  # another site
        # The same by names: browsers do not trust them as they do loopback, and send them no Sec-Fetch-Site.
        self.named = f"http://files.site.test:{stack.port}"
        self.named_sister = f"http://app.site.test:{port}"
        self.named_foreign = f"http://app.foreign.test:{port}"


def make_site(world, port, **settings):
    stack = world.stack({"JWT_COOKIE": "session", **settings}, server=SITE.format(),
                        http=FOREIGN.format(port=port)).start()
    return Site(stack, port)


@pytest.fixture(scope="module")
def site(world):
    made = make_site(world, free_port())
    yield made
    made.stack.stop()
    world.stacks.remove(made.stack)


@pytest.fixture(scope="module")
def open_site(world):
    """Public files for pages of the same site; the foreign page is listed for scripts."""
    port = free_port()
    made = make_site(world, port, VISIBILITY="public", RESOURCE_POLICY="same-site",
                     CORS_ORIGINS=f"http://localhost:{port}")
    yield made
    made.stack.stop()
    world.stacks.remove(made.stack)


def visit(driver, url):
    """Opens an address; one that is saved rather than shown leaves the browser where it was."""
    try:
        driver.get(url)
    except WebDriverException as e:
        assert "ERR_ABORTED" in str(e), e


def log_in(driver, site):
    """A session cookie that goes with requests of any site, as careless applications set them. Marks of before go."""
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    driver.get(site.stack.url + "/page")
    driver.execute_script("localStorage.clear()")
    done = driver.execute_cdp_cmd("Network.setCookie", {
        "name": "session", "value": token("alice"), "url": site.stack.url, "secure": True, "sameSite": "None"})
    assert done["success"]


def marks(driver, site, since):
    """Where a script of a file was able to leave something."""
    driver.switch_to.default_content()
    here = driver.execute_script("return self.mark ? ['page'] : []")
    driver.get(site.stack.url + "/page")
    here += driver.execute_script("return localStorage.getItem('mark') ? ['storage'] : []")
    here += driver.execute_script("return document.cookie.includes('mark') ? ['cookie'] : []")
    if '"GET /mark' in access_log(site)[since:]:
        here.append("request")
    return here


def access_log(site):
    return (site.stack.dir / "log/nginx-access.log").read_text()


def execute(driver, script, *arguments):
    return driver.execute_async_script(
        "const done = arguments[arguments.length - 1], a = arguments; (async () => {" + script +
        "})().then(done, e => done(String(e)));", *arguments)


# Each way a page can have a file, and whether it came: an element that says load or error, or neither in time.
EMBED = """
const add = (kind, more) => new Promise(say => {
  const e = Object.assign(document.createElement(kind), more);
  e.onload = () => say(kind + ' load'); e.onerror = () => say(kind + ' error'); setTimeout(() => say(kind), 1500);
  document.body.append(e); });
const url = a[0];
const module = new Promise(say => import(url).then(() => say('import load'), () => say('import error')));
const worker = new Promise(say => { const w = new Worker(url); w.onerror = () => say('worker error');
  w.onmessage = () => say('worker load'); setTimeout(() => say('worker'), 1500); });
const service = navigator.serviceWorker.register(url).then(() => 'service load', () => 'service error');
return Promise.all([add('img', {src: url}), add('iframe', {src: url}), add('object', {data: url}),
  add('embed', {src: url}), add('script', {src: url}), add('link', {rel: 'stylesheet', href: url}), module, worker, service]);
"""


@pytest.mark.parametrize("name", FILES)
def test_a_file_runs_nothing_in_the_sites_origin(chromium, site, name):
    data, sniffed = FILES[name]
    made = site.stack.upload(data, name)
    if sniffed:
        assert made["mime_type"] == sniffed
    for way in ("", "/shown"):  # as we send it, and shown where it would be saved
        log_in(chromium, site)
        since = len(access_log(site))
        visit(chromium, site.stack.url + way + made["url"])
        time.sleep(0.3)
        assert marks(chromium, site, since) == [], way
        came = execute(chromium, EMBED, way + made["url"])
        assert isinstance(came, list), came
        assert not {"script load", "import load", "worker load", "service load"} & set(came), came
        assert marks(chromium, site, since) == [], (way, came)


@pytest.mark.parametrize("name, opened", [("x.html", True), ("x.svg", True), ("x.xhtml", True), ("x.xml", True),
                                          ("lie.png", True), ("x.js", False)])
def test_these_files_do_run_where_nothing_stops_them(chromium, site, name, opened):
    """Else the test above could not fail."""
    made = site.stack.upload(FILES[name][0], name)
    log_in(chromium, site)
    since = len(access_log(site))
    if opened:
        visit(chromium, site.stack.url + "/bare" + made["url"])
    else:
        execute(chromium, EMBED, "/bare" + made["url"])
    time.sleep(0.3)
    assert marks(chromium, site, since), name


def test_a_style_sheet_styles_nothing(chromium, site):
    made = site.stack.upload(CSS, "x.css")
    log_in(chromium, site)
    execute(chromium, EMBED, made["url"])
    colour = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour != "rgb(1, 2, 3)"


def test_polyglots_are_sent_and_named_as_what_they_are_shown_as(site):
    for name, data, kind, shown_as, saved_as in [
            ("x.js", GIF_JS, "image/gif", "inline", "x.js.gif"), ("x.html", JPEG_HTML, "image/jpeg", "inline", "x.html.jpg"),
            ("x.zip", PDF_ZIP, "application/pdf", "attachment", "x.zip.pdf"), ("x.png", HTML, "text/html", "attachment", "x.png.txt"),
            ("x.gif", GIF_JS, "image/gif", "inline", "x.gif"), ("x.js", JS, "text/plain", "attachment", "x.js")]:
        made = site.stack.upload(data, name)
        answer = site.stack.get(made["url"])
        assert answer.body == data
        assert answer.headers["Content-Type"].split(";")[0] == kind
        assert answer.headers["Content-Disposition"] == f'{shown_as}; filename="{saved_as}"'
        assert made["filename"] == saved_as and made["extension"] == saved_as.rpartition(".")[2]
        assert made["url"].endswith("/" + saved_as)


def test_an_allow_list_goes_by_the_bytes_and_names_follow(new_stack):
    stack = new_stack(ALLOWED_TYPES="image/*")
    before = stack.snapshot()
    refused = stack.post_form([("x.png", HTML, "image/png")])
    assert refused.status == 415 and "text/html" in refused.json()["detail"]
    stack.assert_nothing_kept(before)
    assert stack.upload(GIF_JS, "x.js")["filename"] == "x.js.gif"


# --- pages that act in a user's name ----------------------------------------------------------------------------------

def last_upload(site, since):
    """The statuses of uploads in nginx's log."""
    return [line.split('" ')[1][:3] for line in access_log(site)[since:].splitlines() if '"POST /api/upload' in line]


def submit_form(driver, url):
    driver.execute_script("""
        const f = Object.assign(document.createElement('form'), {method: 'POST', enctype: 'multipart/form-data'});
        f.action = arguments[0]; const file = Object.assign(document.createElement('input'), {type: 'file', name: 'file'});
        const bytes = new DataTransfer(); bytes.items.add(new File(['evil'], 'evil.txt')); file.files = bytes.files;
        f.append(file); document.body.append(f); f.submit();""", url + "/api/upload")
    time.sleep(1)


@pytest.mark.parametrize("page", ["sister", "foreign"])
def test_a_form_of_another_origin_uploads_nothing(chromium, site, page):
    log_in(chromium, site)
    chromium.get(getattr(site, page) + "/")
    before, since = site.stack.snapshot(), len(access_log(site))
    submit_form(chromium, site.stack.url)
    assert last_upload(site, since) == ["403"]  # not 401: the cookie did come
    site.stack.assert_nothing_kept(before)


def test_without_fetch_metadata_the_origin_tells(chromium, site):
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.get(site.named + "/page")
    chromium.add_cookie({"name": "session", "value": token("alice"), "sameSite": "Lax"})
    since = len(access_log(site))
    submit_form(chromium, site.named)
    assert last_upload(site, since) == ["201"]
    chromium.get(site.named_sister + "/")
    before, since = site.stack.snapshot(), len(access_log(site))
    submit_form(chromium, site.named)
    assert last_upload(site, since) == ["403"]
    site.stack.assert_nothing_kept(before)


FETCH = """
const send = (path, how) => fetch(a[0] + path, {credentials: 'include', ...how})
  .then(async r => [r.status, await r.text()], e => 'blocked');
const form = new FormData(); form.append('file', new File(['there'], 'x.txt'));
return [await send(a[1], {}), await send('/api/upload', {method: 'POST', body: form}),
        await send('/api/upload/x.txt', {method: 'PUT', body: 'there'}),
        await send('/api/attachments/' + a[2], {method: 'DELETE'})];
"""


@pytest.mark.parametrize("page", ["sister", "foreign"])
def test_a_script_of_another_origin_reads_and_writes_nothing(chromium, site, page):
    made = site.stack.upload(b"secret")
    log_in(chromium, site)
    chromium.get(getattr(site, page) + "/")
    before, since = site.stack.snapshot(), len(access_log(site))
    assert execute(chromium, FETCH, site.stack.url, made["url"], made["id"]) == ["blocked"] * 4
    assert last_upload(site, since) == ["403"]
    site.stack.assert_nothing_kept(before)


def test_the_sites_own_page_and_a_listed_origin_may(chromium, open_site):
    for page in (open_site.stack.url + "/page", open_site.foreign + "/"):
        made = open_site.stack.upload(b"secret")
        log_in(chromium, open_site)
        chromium.get(page)
        read, posted, put, deleted = execute(chromium, FETCH, open_site.stack.url, made["url"], made["id"])
        assert (read, posted[0], put[0], deleted[0]) == ([200, "secret"], 201, 201, 204), page


def test_a_listed_origin_may_and_its_neighbour_may_not(chromium, open_site):
    made = open_site.stack.upload(b"secret")
    log_in(chromium, open_site)
    chromium.get(open_site.sister + "/")
    assert execute(chromium, FETCH, open_site.stack.url, made["url"], made["id"]) == ["blocked"] * 4


def test_a_foreign_page_cannot_embed_what_a_sister_may(chromium, open_site):
    pixel = (b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01"
             b"\x00\x01\x00\x00\x02\x02D\x01\x00;")
    url = open_site.named + open_site.stack.upload(pixel, "x.gif")["url"]
    script = open_site.named + open_site.stack.upload(GIF_JS, "y.gif")["url"]
    wait = ("const add = (kind, src) => new Promise(say => { const e = document.createElement(kind); "
            "e.onload = () => say('load'); e.onerror = () => say('error'); e.src = src; document.body.append(e); });"
            "return [await add('img', a[0]), await add('script', a[1]), self.mark === undefined];")
    chromium.get(open_site.named_sister + "/")
    assert execute(chromium, wait, url, script) == ["load", "error", True]
    chromium.get(open_site.named_foreign + "/")
    assert execute(chromium, wait, url, script) == ["error", "error", True]


def test_what_is_uploaded_comes_back_as_it_was(site):
    for name, (data, _) in FILES.items():
        made = site.stack.upload(data, name)
        assert made["sha256"] == hashlib.sha256(data).hexdigest()
        assert site.stack.get(made["url"]).body == data
