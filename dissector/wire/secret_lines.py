"""Secrets in cookies, in lines of files that hold logins, and in comparisons, as data for Python and Lua.

As in ``secret_shapes``.
"""

from __future__ import annotations

from dissector.wire.secret_rules import NAMES, NO_SECRET, QUOTE, SecretShape

#: What is compared: "$PASSWORD", %PASSWORD%, $env:PW, a variable of that name.
_VARIABLE = rf"[\"']?[$%]?(?:\{{|env:)?\w{{0,32}}(?:{NAMES})\w{{0,32}}[}}%]?[\"']?"
_CASE = rf"(?<![\w-])case[ \t]{{1,8}}{_VARIABLE}[ \t]{{1,8}}in[ \t\r\n]{{1,32}}"
#: Between branches: a line of comment too.
_LINES = r"[ \t\r\n]{0,32}(?:#[^\n]{0,200}\n[ \t\r\n]{0,32})?"
#: Its name without what marks it as a variable.
_NAME = rf"\w{{0,32}}(?:{NAMES})\w{{0,32}}"
_BLANKS = r"[ \t\r\n]{1,8}"
#: A quoted text; what else may stand in its place follows, and the group's end.
_TEXT = r"(?:\"([^\"\n$%]{1,128})\"|'([^'\n$%]{1,128})'"
#: What a branch of ``case`` is chosen by; ``*`` and an empty text are no secrets.
_BRANCH = r"\(?(?!\s|[*?]\)|\"\"\)|''\)|esac)([^)\n]{1,400})\)"

LINES: tuple[SecretShape, ...] = (
    # A session is opened by the value of its cookie.
    SecretShape(
        ".sid|.sess|_sess|-sess|sso|smsession|aspx|aspsession|remember|_logged_in",
        r"(?<![\w.-])(?:[\w-]{1,32}\.(?:sid|sess)|(?:my)?sapsso2|[a-z]{0,16}sso(?:cookie|id)?|smsession|\.?aspxauth"
        r"|aspsessionid\w{1,16}|remember[_-]?me|wordpress_logged_in\w{0,64}|[\w-]{1,32}[_-]sess(?:ion)?)[\"']?"
        rf"[ \t]{{0,4}}[:=][ \t]{{0,4}}[\"']?(?!{NO_SECRET})(?!\d{{1,9}}(?![\w%+/=.~-])|yes(?!\w)|on(?!\w))"
        r"(?=[\w%+/=.~-]{0,64}\d)([\w%+/=.:~-]{4,4000})",
    ),
    # sid=X, which is Oracle's name of a database as well (capital letters, a short word), and Windows' of a user.
    SecretShape(
        "sid",
        r"(?<![\w.(-])(?-i:sid|Sid)[\"']?(?:[ \t]{0,4}:[ \t]{0,4}|=)[\"']?(?!S-1-|\d{1,9}(?![\w%+/=.~-])|orcl|xe(?!\w))"
        r"(?=[\w%+/=.~-]{0,64}(?:\d|(?-i:[a-z][A-Z])))(?=[\w%+/=.~-]{0,64}(?-i:[a-z]))([\w%+/=.:~-]{4,4000})",
    ),
    # Postfix' and others': [mail.example.com]:587 bob:X
    SecretShape(
        "]:|:25|:465|:587|:2525",
        r"(?:\[[\w.:-]{1,255}\]:(?:\d{2,5}|smtps?|submission)|(?<![\w.-])[\w.*-]{1,255}:(?:25|465|587|2525))[ \t]{1,8}"
        r"(?!(?:stat(?:e|us)|error|result|size|time|from|to|queue|https?):)[a-z][\w.@+\\-]{0,64}:"
        rf"(?!\d{{1,9}}(?!\S)|//|{NO_SECRET})([^\s\"'<>&,;]{{1,128}})",
    ),
    # decrypt as an option takes what opens; a file has a dot or a slash.
    SecretShape(
        "decrypt|encrypt",
        r"(?<![\w.-])(?:--?|/)(?:de|en)crypt(?:ion)?(?:[=:][ \t]{0,4}|[ \t]{1,8})"
        rf"(?:(?={QUOTE})|(?![\w~-]{{0,64}}[./\\])(?![\w-]{{1,64}};)(?=[^\s/.\\:|&;<>()-]))(?!true|false|yes|no(?!\w))",
    ),
    # The values of dtexec's properties, and the fourth part of what dtutil encrypts with.
    SecretShape(
        "dtexec|dtutil",
        rf"(?<=\s)[-/](?:set|par(?:ameter)?)[ \t:]{{1,8}}\"?[^;\"\n]{{0,255}}?(?:{NAMES})[^;\s\"]{{0,64}};(?=\S)",
    ),
    SecretShape("dtutil", r"(?<=\s)[-/]en(?:crypt)?[ \t]{1,8}\"?(?:[^;\s\"]{1,255};){3}(?=\S)"),
    # case "$PW" in X) ...; the second branch, the third and the fourth.
    SecretShape("case", _CASE + _BRANCH),
    *(
        SecretShape("case", rf"{_CASE}(?:[^)\n;]{{1,400}}\)[^)]{{0,1000}}?;;{_LINES}){{{more}}}{_BRANCH}")
        for more in (1, 2, 3)
    ),
    SecretShape(
        "when",
        rf"(?<![\w-])case[ \t\r\n]{{1,8}}@?\w{{0,32}}(?:{NAMES})\w{{0,32}}[ \t\r\n]{{1,8}}when[ \t]{{1,8}}(?={QUOTE})",
    ),
    SecretShape(
        "switch",
        rf"(?<![\w-])switch[ \t]{{0,4}}\(?[ \t]{{0,4}}{_VARIABLE}[ \t]{{0,4}}\)?\s{{0,16}}\{{\s{{0,32}}"
        rf"(?:case[ \t]{{1,8}})?(?={QUOTE})",
    ),
    # The value before the name.
    SecretShape(
        "=",
        rf"(?<![\w.-])(?:if|while|\[\[?|test|and|or|&&|\|\||\()[ \t]{{0,8}}(?:/i[ \t]{{1,4}})?"
        rf"{_TEXT}|(?!\d{{1,3}}[ \t])([^\s\"'$%&|<>()=-][^\s\"'&|<>()=]{{0,127}}))"
        rf"[ \t]{{0,8}}[!=]?={{1,3}}[ \t]{{0,8}}[\"']?[$%](?:\{{|env:)?\w{{0,32}}(?:{NAMES})",
    ),
    SecretShape(
        "==",
        rf"{_TEXT})[ \t]{{0,8}}[!=]={{1,2}}[ \t]{{0,8}}(?-i:[a-z]\w{{0,32}}?)??(?:{NAMES})",
    ),
    SecretShape(
        "%|!",
        rf"(?:%{_NAME}%|!{_NAME}!)[\"']?[ \t]{{0,8}}(?:==|equ[ \t]|neq[ \t])[ \t]{{0,8}}(?=\S)",
    ),
    SecretShape(
        "equals",
        rf"{_TEXT})\.(?:equals(?:IgnoreCase)?|compareTo)[ \t]?\([ \t]{{0,4}}\$?{_NAME}",
    ),
    # user bob/X under a heading that says so.
    SecretShape(
        "user|benutzer|login",
        r"(?<![\w.-])(?:user(?:name)?|login|benutzer(?:name)?)[ \t]?/[ \t]?(?:password|passwd|pwd|passwort|kennwort)"
        r"[ \t]{1,4}(?:is[ \t]{1,4}|ist[ \t]{1,4}|lautet[ \t]{1,4})?[\w.@\\-]{1,64}[ \t]?/[ \t]?([^\s,;\"'<>]{1,128})",
    ),
)
