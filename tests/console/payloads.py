"""Texts that a tenant might store in the hope that somebody's browser reads them as more than text.

`corpus` makes the kinds that are known, each in the positions where markup could begin: in text, in an attribute, in
a script, in a style, in an address. Each tries to say so by setting `window.stolen`.
"""

from __future__ import annotations

_CALL = "window.stolen=1"
_TAGS = (
    "script", "ScRiPt", "script/x", "svg/onload", "img/src=x", "iframe", "object", "embed", "math", "video", "audio",
    "details/open", "marquee", "body", "input/autofocus", "select/autofocus", "textarea/autofocus", "form", "style",
    "link", "meta", "base", "template", "slot", "dialog/open",
)  # fmt: skip
_EVENTS = ("onload", "onerror", "onfocus", "ontoggle", "onstart", "onanimationstart", "onpointerenter", "onclick")
_ADDRESSES = (
    "javascript:{}", "JaVaScRiPt:{}", "java\tscript:{}", "java\nscript:{}", " javascript:{}", "\x01javascript:{}",
    "data:text/html,<script>{}</script>", "vbscript:{}", "javascript://%0a{}", "//evil.example/{}",
)  # fmt: skip
_WRAPS = ("{}", '">{}', "'>{}", "-->{}", "]]>{}", "</script>{}", "</textarea>{}", "</title>{}", "</style>{}", "`{}`")
_OTHERS = (
    "${window.stolen=1}",
    "{{window.stolen=1}}",
    "{{constructor.constructor('window.stolen=1')()}}",
    "#{window.stolen=1}",
    "<%= window.stolen=1 %>",
    "';window.stolen=1;//",
    '";window.stolen=1;//',
    "\\u003cscript>window.stolen=1</script>",
    "&lt;script&gt;window.stolen=1&lt;/script&gt;",
    "&#60;script>window.stolen=1&#60;/script>",
    "<!--<script>-->window.stolen=1",
    "\u202etxt.exe",
    "\u2028window.stolen=1",
    "\ufeff<script>window.stolen=1</script>",
    "+ADw-script+AD4-window.stolen=1",
    "<svg><animate attributeName=href values=javascript:window.stolen=1>",
    "<a href='javascript:window.stolen=1'>x</a>",
    "<img src=x onerror=window.stolen=1//",
    "__proto__",
    "constructor",
    "a\x00b",
    "%3Cscript%3E",
    "{0}{count}{id}",
    "<noscript><p title='</noscript><img src=x onerror=window.stolen=1>'>",
    "<x/onclick=window.stolen=1>",
    "\r\nSet-Cookie: a=b",
)


def corpus() -> list[str]:
    """All of them, each once."""
    found = [f"<{tag} {event}={_CALL}>" for tag in _TAGS[3:14] for event in _EVENTS]
    found += [f"<{tag}>{_CALL}</{tag.split('/')[0]}>" for tag in _TAGS]
    found += [address.format(_CALL) for address in _ADDRESSES]
    found += [f'<a href="{address.format(_CALL)}">x</a>' for address in _ADDRESSES]
    found += [f'<iframe src="{address.format(_CALL)}">' for address in _ADDRESSES]
    found += [wrap.format(f"<script>{_CALL}</script>") for wrap in _WRAPS]
    found += [wrap.format(f"<img src=x onerror={_CALL}>") for wrap in _WRAPS]
    found += [wrap.format(f"<svg onload={_CALL}>") for wrap in _WRAPS]
    found += [f"<style>*{{background:url({address.format(_CALL)})}}</style>" for address in _ADDRESSES]
    return list(dict.fromkeys([*found, *_OTHERS]))
