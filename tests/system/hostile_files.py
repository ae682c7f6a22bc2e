"""hostile_files.py — files that would act in the site's name if a browser ran them, and polyglots: two kinds in one file."""
import io
import struct
import zipfile

# Leaves a mark wherever it can: in the page, in the page around it, in the origin's storage and cookies, in nginx's log.
MARK = ("try{localStorage.setItem('mark','1')}catch(e){}try{document.cookie='mark=1'}catch(e){}"
        "try{self.mark=1;parent.mark=1;top.mark=1}catch(e){}try{fetch('/mark')}catch(e){}")

HTML = f"<!DOCTYPE html><html><body><script>{MARK}</script><img src=x onerror=\"{MARK}\"></body></html>".encode()
SVG = (f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="{MARK}"><script>{MARK}</script>'
       '<rect width="9" height="9"/></svg>').encode()
XHTML = (f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><script>{MARK}</script></body></html>'
         ).encode()
# Its own style sheet, which makes HTML with a script of it.
XSLT = (f'''<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#s"?>
<!DOCTYPE a [<!ATTLIST xsl:stylesheet id ID #REQUIRED>]>
<a><xsl:stylesheet id="s" version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">
<html><body><script>{MARK}</script></body></html></xsl:template></xsl:stylesheet></a>''').encode()
JS = f'"use strict";\nimport("data:text/javascript,");\nconst f = () => 1;\n{MARK}\n'.encode()
CSS = b"body { background-color: rgb(1, 2, 3) !important }\n"


def pdf(script):
    objects = [b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (" + script + b") >> >>",
               b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (out + b"xref\n0 4\n0000000000 65535 f \n" + table +
            b"trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out))


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


PDF = pdf(b"this.getURL('/mark'); app.launchURL('/mark');")
# A picture whose size is the start of a comment, and a script.
GIF_JS = b"GIF89a/*\x01\x00\x80\x00\x00*/=1;" + MARK.encode()
PDF_ZIP = PDF + zipped("x.html", HTML)
_COMMENT = HTML.ljust(len(HTML) + 2)
JPEG_HTML = (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xfe" +
             struct.pack(">H", len(_COMMENT) + 2) + _COMMENT + b"\xff\xd9")

# name -> (bytes, what libmagic calls them)
FILES = {
    "x.html": (HTML, "text/html"),
    "x.svg": (SVG, "image/svg+xml"),
    "x.xhtml": (XHTML, None),
    "x.xml": (XSLT, "text/xml"),
    "x.pdf": (PDF, "application/pdf"),
    "x.js": (JS, None),
    "lie.png": (HTML, "text/html"),
    "gif.js": (GIF_JS, "image/gif"),
    "jpeg.html": (JPEG_HTML, "image/jpeg"),
    "pdf.zip": (PDF_ZIP, "application/pdf"),
}
