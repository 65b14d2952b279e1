r"""What a secret looks like, as data: names, shapes, command lines.  ``secrets`` reads it here, ``codegen`` carries it into Lua.

Patterns are what Python's ``re`` (ASCII) and PCRE2 (bytes) read alike: no ``\Z``, nothing possessive.  Every
repetition behind which a match may fail is bounded, so that time is linear; one of a group is not counted high, which PCRE2
writes out.  In a ``Shape`` and in a command's option
the group that matched is the secret; where none did, it is the value that begins where the match ends.
"""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """Looked for only where one of ``needs`` (lower case) is in the text; ``exact``: case counts."""

    needs: tuple[str, ...]
    pattern: str
    exact: bool = False


class Command(NamedTuple):
    """A program (what its name and its arguments begin with), and what in its arguments stands before a secret."""

    needs: tuple[str, ...]
    program: str
    options: str


# --- names ---------------------------------------------------------------------------------------------------------

#: A part of the name of something that is not to be shown: db_password, apiKey, SSHPASS, userPin, Kennwort.
NAMES = "|".join(
    (
        "passw|passphrase|passcode|passkey|kennw|geheim|secret|token|credential|pwd|zugangsdaten|jsessionid|phpsessid",
        r"(?<!by)(?<!com)(?<!tres)(?<!over)(?<!sur)(?<!under)pass(?![a-z])",
        r"pw(?![a-z])",
        r"(?<!mon)(?<!don)(?<!tur)(?<!hot)(?<!primary )(?<!foreign )(?<!unique )key(?:s|phrase)?(?![a-z])",
        r"schl(?:\xfc|\xc3\xbc|ue)ssel(?![a-z])",
        r"(?<![a-z])(?:pin|t?otp|psk|cvv|jwt|creds?)(?![a-z])",
        r"(?-i:(?<=[a-z])(?:Pin|Otp|Psk|Jwt|Creds?)(?![a-z]))",
        r"(?<=_)auth(?![a-z])",
    )
)
#: HTTP headers whose whole line is a secret.
HEADERS = r"x-jobscheduler-(?:tunnel-secret|licen[sc]e-?keys?|session)|(?:proxy-)?authorization|(?:set-)?cookie2?"

#: A quote of any form: with backslashes before it in a string in a string, or an entity in XML.
QUOTE = r"\\*(?:[\"']|&(?:amp;){0,32}(?:quot|apos|#0*34|#0*39|#x0*22|#x0*27);)"
_ENTITY = r"&(?:amp;){0,32}(?:amp|lt|gt|apos|#\d{1,7}|#x[0-9a-f]{1,6});"
_LESS = r"(?:lt|#0*60|#x0*3c);"

#: What does not follow "password is" as a secret.
_NO_SECRET = (
    r"(?:an?|the|not|no|now|too|in|on|at|to|of|by|as|for|from|with|and|or|but|if|when|will|would|can|could|must|may|should|has"
    r"|have|had|is|was|are|be|set|unset|ok|okay|valid|invalid|correct|incorrect|wrong|required|empty|missing|expired|expir\w+"
    r"|weak|strong|blank|null|none|nil|true|false|unknown|unchanged|changed|being|been|needed|used|stored|saved|hidden|masked"
    r"|encrypted|locked|bad|good|different|same|only|also|still|already|never|always|going|about|available|optional|mandatory"
    r"|long|short|shorter|longer|older|case|read|taken|given|found|defined|present|absent|checked|verified|accepted|rejected"
    r"|refused|denied|reset|updated|deleted|removed|generated|created|sent|there|here|this|that|it|your|my|our|his|her|their"
    r"|file|files|field|prompt|policy|manager|management|authentication|auth|login|logon|store|protected|change|changes|check"
    r"|entry|hash|length|rule|rules|age|expiry|error|failed|failure|failures|mismatch|shown|prints|printed|shows|returns|returned"
    r"|command|commands|output|then|ls|cd|echo|exit|test|falsch|richtig|leer|nicht|kein|keine|ung(?:\xfc|\xc3\xbc|ue)ltig"
    r"|g(?:\xfc|\xc3\xbc|ue)ltig|abgelaufen|erforderlich|korrekt|inkorrekt|gesetzt|zu|ein|eine|der|die|das|und|oder|noch|wieder"
    r"|bereits|unbekannt|wurde|wird|ist|war|hat|muss|kann|soll|fehlt|ge\w{2,20}t)(?![\w-])"
)
_FOR_WHOM = r"(?:[ \t]{1,4}(?:for|of|f(?:\xfc|\xc3\xbc|ue)r|von)[ \t]{1,4}(?:user[ \t]{1,4}|benutzer[ \t]{1,4})?[\w.@\"'\\-]{1,64})?"


#: Something that every text with a secret has in it, in small letters: what stands around a letter that is seldom.  Nearly
#: all messages have none of it and are passed over, so this decides how fast: every alternative begins with one letter,
#: and ``re`` goes from one of these to the next.
HINT = "|".join(
    (
        r"p(?:ass|wd?|in|sk|hps|rivate-l|m_|ypi|i_|at_|[acps][ats]_|do[ \t]?\(|i[a-f0-9]{8}|(?<=otp)|(?<=snmp)|(?<=exp)|(?<=imp)"
        r"|(?<=-hp)|(?<=/p)[: \t]|(?<=/rp)|(?<=[ \t\n\"';]-p))",
        r"c(?:red|ret|ode=|ert[ \t=]|ca[a-z0-9]{4}|onn(?:ect(?:ion)?)?[ \t(_]|vv)",
        r"u(?:th|do|ress|res|essel|se[ \t]|ser[ \t=]|sing[ \t])",
        r"g(?:eheim|on[ \t]|=|nature=|h[pousr]_|ithub_pat|l[a-z]{2,5}-|lsa_|ocspx|(?<=sg)\.)",
        r"k(?:ey|enn|init|r_pat|\.com/|(?<=tok)|(?<=cook)|_(?:live|test|prod)_|-|ia[a-z0-9]{16})",
        r"-(?<=[ \t\n\"';]-)[eakxnwupk]",
        r"_(?<=hf_)|_(?<=v1_)",
        r"y(?:(?<=[d \t\r\n][ \t\r\n]by)|a29|j(?<=eyj))",
        r"@|\||x(?:-j|ox|app)|j(?:sess|wt)|q(?<=sq)l|v(?:ault|[sbr]?\.(?<=hv[sbr]\.))|z(?:ugang|a(?<=aiza))",
        r"\$(?:[1-7y]|2[abxy]|apr|arg)|\{s|<<|&lt;&lt;|\xfcss|\xbcss|b(?<=ab)ia[a-z0-9]|:aa|3(?<=a3)t|3(?<=atatt3)x",
    )
)

#: Letters and others mixed, as in no word.
_MIXED = r"(?=[^\s,;:()]{0,64}\d)(?=[^\s,;:()]{0,64}[a-z!#$%^*+?@])(?=[^\s,;:()]{4})(?![\w.-]{0,64}/)"

#: The pieces that the search is made of, by name.
PIECES: dict[str, str] = {
    "candidate": f"({HEADERS})|{NAMES}",
    "name_rest": r"[\w.$-]*",
    "whole_name": r"^[\w.$/:-]{1,256}$",
    "quote": QUOTE,
    # What stands between a name and its value; a comma does between two quoted words: set_var("password", "x").
    "assignment": rf"({QUOTE})?[ \t]{{0,64}}[)\]]{{0,2}}[ \t]{{0,64}}([!:+]?={{1,3}}(?:>|&(?:amp;){{0,32}}gt;)?|:|,|->|%3[ad]|-c?(?:eq|ne)(?=[ \t]))(\s{{0,64}})",
    "prose": rf"{_FOR_WHOM}[ \t]{{1,4}}(?:(?:has|have)[ \t]been[ \t]{{1,4}}|was[ \t]{{1,4}}|is[ \t]{{1,4}}|wurde[ \t]{{1,4}})?"
    rf"(?:(?:re)?set[ \t]{{1,4}}to|changed[ \t]{{1,4}}to|now|is|was|to|lautet|ist|war|auf|hei(?:ss|\xdf|\xc3\x9f)t)"
    rf"(?:[ \t]{{1,4}}now)?[ \t]{{0,4}}:?[ \t]{{1,4}}(?!{_NO_SECRET})(?=\S)",
    # Names that stand in sentences of all kinds: their value has to look like one.
    "weak": "token|secret|key|credential|creds",
    # "password X": where X can be told from a word.
    "follows": rf"[ \t]{{1,4}}{_MIXED}",
    "mixed": _MIXED,
    "letter": r"\w",
    "follows_quoted": rf"[ \t]{{1,4}}(?={QUOTE}[^\s\"'])",
    "follows_number": r"[ \t]{1,4}(?=\d{4,12}(?![\w.:-]))",
    "follows_word": rf"[ \t]{{1,4}}(?!{_NO_SECRET})(?=[\w\"'!$%#@*?+])",
    "noun": r"(?<![\w.$%{-])(?:passwor[dt]|passwd|pwd|pw|kennwort|passphrase|passcode|(pin)|(secret|token))(?![\w-])",
    "told_before": r"(?:with|using|via|mit|and|und|(?:user(?:name)?|login|benutzer)[ \t:=]{1,4}[\w.@\"'\\-]{1,64}[ \t,]{0,4}(?:and|und)?)"
    r"[ \t]{1,4}(?:the[ \t]{1,4}|dem[ \t]{1,4})?(?![\s\S])",
    "called": rf"[ \t]?\([ \t]{{0,8}}(?={QUOTE})",
    "member_name": r"\s{0,8}:",
    "option_hint": r"[\w./-](?![\s\S])",
    "set_hint": "setx|setenv",
    "option": r"(?:^|[\s\"'`,;(])(?:--?|/)[\w.-]{0,62}(?![\s\S])",
    "set_before": r"(?:^|[\s\"'`;&|(])(?:setx(?:[ \t]{1,4}/\w{1,8})?|setenv)[ \t]{1,8}[\"']?[\w.$-]{0,62}(?![\s\S])",
    "set_between": r"[\"']?[ \t]{1,8}(?=\S)",
    "blanks": r"[ \t]{1,64}(?![\s-])",
    "scheme": r"(?:bearer|basic|digest|negotiate)[ \t]{1,8}",
    "bare_stop": r"[\s;\"'<>&]",
    "entity": _ENTITY,
    "json_value": r"[^\s,}\]\"'\\]*",
    "array_stop": r"[\]\"'&]",
    "line": r"[^\r\n]*",
    # What goes on behind a closing quote: more of the same shell word.
    "more_bare": r"[\w$%!@#^*~-][^\s,;&<>\"')\]}]*",
    # A quote that closes, and a text that is joined to it: "password=" + "x".
    "joined": rf"{QUOTE}[ \t]{{0,8}}[.+&|]{{1,2}}[ \t]{{0,8}}(?={QUOTE})",
    "folder": r"(?:/[\w.@+-]{1,255}){0,64}/?(?![^\s;&\"'<>)|\\])",
    "tag_plain": r"<|\\u003c",
    "tag_once": rf"<|\\u003c|&{_LESS}",
    "tag_twice": rf"<|\\u003c|&(?:amp;)?{_LESS}",
    "tag_deeper": rf"<|\\u003c|&(?:amp;){{0,32}}{_LESS}",
    "tag_end": r">|&(?:amp;){0,32}(?:gt|#0*62|#x0*3e);|\\u003e",
    "tag_name": r"[\w.:-]+",
    "naming": rf"(?<![\w.-])(?:name|key|variable|param|parameter|id|attr)(?:{QUOTE})?\s{{0,8}}([:=])\s{{0,8}}({QUOTE})?",
    "valuing": rf"(?<![\w.-])(?:hex_|default_)?(?:value|default|content|text)({QUOTE})?\s{{0,8}}([:=])\s{{0,8}}",
    "url_word": r"[^\s\"<>]+",
    "oracle_url": r"jdbc:oracle:\w{1,64}:",
    "user_end": "[/@]",
    # The arguments of a command: quoted texts count as one, a line may go on behind a backslash.
    "argument_stop": r"[\n;|&\"'\\]",
    "argument_quoted": r"\"[^\"\n]*\"?|'[^'\n]*'?|\\(?:\r?\n|[^\n])|&(?:amp;){0,32}(?:quot|apos|lt|gt|#\d{1,6}|#x[0-9a-f]{1,5});",
}

# --- shapes --------------------------------------------------------------------------------------------------------

_TOKENS = "|".join(
    (
        r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
        r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent)-[\w-]{16,255}",
        r"xox[abceoprs][\w.]{0,4}-[\w-]{8,255}|xapp-\d-[\w-]{8,255}",
        r"eyJ[\w-]{6,8000}\.[\w-]{4,8000}(?:\.[\w-]{0,8000}){0,3}",
        r"AIza[\w-]{35}|ya29\.[\w-]{20,400}|GOCSPX-[\w-]{20,60}",
        r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,200}|sk-[\w-]{20,200}|SG\.[\w-]{16,40}\.[\w-]{16,60}",
        r"npm_[A-Za-z0-9]{30,60}|pypi-[\w-]{16,255}|hf_[A-Za-z0-9]{30,60}|dckr_pat_[\w-]{20,60}|do[opr]_v1_[a-f0-9]{60,70}",
        r"hv[sbr]\.[\w-]{20,255}|dapi[a-f0-9]{32}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}|glsa_\w{32,60}|lin_api_\w{30,60}",
        r"ATATT3x[\w=-]{20,255}|AGE-SECRET-KEY-1[A-Z0-9]{50,70}|\d{8,10}:AA[\w-]{30,40}",
    )
)
_HASHES = r"\$(?:1|2[abxy]|5|6|y|7|apr1|argon2id?)\$[\w./$,=+-]{16,200}|\{S?SHA(?:256|512)?\}[\w+/=]{20,200}"
_PASSWORD_READERS = (
    r"(?:sudo|su|doas|passwd|chpasswd|kinit|cryptsetup|runas|gpg2?|openssl|docker|podman|plink|pscp|ssh|sshpass|net|smbclient|mount"
    r"|keytool|ecryptfs-\w+|gnome-keyring-daemon|saslpasswd2|htpasswd|realm|adcli|vault|oc|kubectl|helm|az|gh|faillock|expect)"
)

SHAPES: tuple[Shape, ...] = (
    # A private key, all of it, also when it is cut off.
    Shape(
        ("private key",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----([^-]*(?:-(?!----END)[^-]*){0,16})",
        exact=True,
    ),
    Shape(("private-lines",), r"Private-Lines: \d{1,4}((?:\s{1,4}[A-Za-z0-9+/=]{1,80}){0,200})", exact=True),
    Shape(
        (
            "akia", "asia", "abia", "acca", "a3t", "gh", "gl", "xox", "xapp", "eyj", "aiza", "ya29", "gocspx", "k_", "sk-", "sg.",
            "npm_", "pypi-", "hf_", "dckr", "_v1_", "hv", "dapi", "shp", "lin_api", "atatt", "age-s", ":aa",
        ),
        rf"(?<![\w])({_TOKENS})",
        exact=True,
    ),  # fmt: skip
    Shape(("$", "sha"), f"({_HASHES})", exact=True),
    Shape(("hooks.slack",), r"hooks\.slack\.com/(?:services|workflows)/([\w/]{8,200})"),
    # What signs a URL.
    Shape(("sig",), r"[?&;](?:x-amz-|x-goog-)?sig(?:nature)?=([\w%+/=.~-]{1,500})"),
    Shape(("code=", "auth="), r"[?&](?:code|auth)=([\w%+/=.~-]{8,500})"),
    # SQL
    Shape(("identified",), r"identified[ \t\r\n]{1,8}by[ \t\r\n]{1,8}(?:values[ \t\r\n]{1,8}|password[ \t\r\n]{1,8})?"),
    Shape(("conn",), r"(?:^|[\n;\"'>])[ \t]{0,16}conn(?:ect)?[ \t]{1,8}[\"']?[\w$#.]{1,64}(?:\[\w{1,64}\])?/(?:\"([^\"\n]{1,128})|([^\s@/\"'&;<>]{1,128}))"),
    Shape((" using ",), r"connect[ \t]{1,4}to[ \t]{1,4}\S{1,64}[ \t]{1,4}user[ \t]{1,4}\S{1,64}[ \t]{1,4}using[ \t]{1,4}"),
    Shape((".logon",), r"\.logon[ \t]{1,4}[^\s,]{1,128},[ \t]{0,4}"),
    # What a program is to read from its standard input.
    Shape(
        ("echo", "printf"),
        r"(?:echo|printf)(?:\.exe)?[ \t]{1,8}(?:-[nee]{1,3}[ \t]{1,8})?(?:[\"']%s(?:\\n)?[\"'][ \t]{1,8})?([^\n|]{1,200}?)[ \t]{0,8}\|"
        rf"[ \t]{{0,8}}(?:[\w./-]{{0,40}}/)?{_PASSWORD_READERS}(?![\w-])",
    ),
    Shape(("<<<",), rf"(?<![\w-]){_PASSWORD_READERS}(?![\w-])[^\n<]{{0,200}}<<<[ \t]{{0,8}}"),
    Shape(
        ("<<", "&lt;&lt;"),
        r"(?<![\w-])(?:sudo|passwd|chpasswd|kinit|su)(?![\w-])[^\n<&]{0,200}(?:<<|&lt;&lt;)-?[ \t]{0,4}[\"']?\w{1,32}[\"']?[ \t]{0,4}\r?\n([^\r\n]{1,200})",
    ),
    Shape(("assword", "asswort"), r"asswor[dt][^\n;]{0,80}[\n;}][^\n]{0,40}?send(?:_user)?[ \t]{1,8}(?:--[ \t]{1,8})?\\*\"((?:[^\"\\]|\\[^r\"n]){1,128})"),
    # ftp: lines of its own.
    Shape(("user",), r"(?:^|\n)[ \t]{0,8}(?:quote[ \t]{1,8})?user[ \t]{1,8}[^\s:=]{1,64}[ \t]{1,8}([^\s:=]{1,128})[ \t]{0,8}(?=[\r\n<&]|$)"),
    Shape(("pass",), r"(?:^|[\n>:])[ \t]{0,8}(?:quote[ \t]{1,8})?PASS[ \t]{1,8}([^\s]{1,128})[ \t]{0,8}(?=[\r\n<&\"']|$)", exact=True),
    # PowerShell, Java, Perl, PHP, Python: the argument that is one.
    Shape(("securestring",), rf"convertto-securestring(?:[ \t]{{1,8}}-\w{{1,20}})*[ \t]{{0,8}}\(?[ \t]{{0,8}}(?={QUOTE})"),
    Shape(
        ("credential", "passwordauthentication", "oci_connect", "cx_oracle", "oracledb"),
        r"(?:(?:ps|network)?credential|passwordauthentication|oci_p?connect|(?:cx_oracle|oracledb)\.connect)(?:\]?::new)?[ \t]{0,4}"
        rf"(?:\(|-argumentlist)[ \t]{{0,8}}\(?[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    Shape(
        ("connect",),
        r"(?:getconnection|dbi->connect(?:_cached)?|mysqli?_p?connect|pymysql\.connect|mysqldb\.connect|new[ \t]pdo)[ \t]{0,4}\("
        rf"[^\n()]{{1,300}}?,[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    Shape(("mysqli", "pdo"), rf"new[ \t]{{1,4}}\\?(?:mysqli|pdo)[ \t]{{0,4}}\([^\n()]{{1,300}}?,[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})"),
    # A URL that is all name: https://TOKEN@host
    Shape(("@",), r"(?<![\w])https?://([\w~.-]{20,255})@"),
)  # fmt: skip

# --- command lines -------------------------------------------------------------------------------------------------

#: Before a program's name: the beginning, a blank, a folder, something that joins commands, a quote.
PROGRAM = r"(?<![\w.-])(?:%s)(?:\.exe|\.bat|\.cmd|\.sh)?(?=[ \t\"'&\\])"
_USER = r"[A-Za-z][\w$#.]{0,63}(?:\[\w{1,64}\])?"
_UP_TO_AT = r"(?:\\?\"([^\"\\\n]{1,128})|&quot;([^&\n]{1,128})|([^\s@/\"'&;<>]{1,128}))"
#: ``user:X`` in quotes or without.
_USER_AND = (
    r"(?:\"[^\s:\"]{0,128}:([^\"\n]{1,400})|'[^\s:']{0,128}:([^'\n]{1,400})|&quot;[^\s:&]{0,128}:((?:[^&\n]|&(?!quot;)){1,400})"
    r"|[^\s:,\"'&-][^\s:,\"'&]{0,128}[:,](?=[^\s/]))"
)


def _short(options: str, behind: str = r"[ \t]{0,8}=?(?=[^\s-])") -> str:
    """Options of one dash, where case counts, with the value attached or behind blanks."""
    return rf"(?-i:(?<=[\s\"';])-(?:{options})){behind}"


COMMANDS: tuple[Command, ...] = (
    Command(("mysql", "mariadb"), r"mysql\w{0,12}|mariadb(?:-\w{1,12})?", _short("p", r"(?=[^\s])")),
    Command(
        ("curl", "lftp", "http "), "curl|lftp|https?",
        rf"(?-i:(?<=[\s\"';])-(?:u|U|E|a)[ \t]{{0,8}}){_USER_AND}|(?<=[\s\"'])--(?:proxy-|cert-)?(?:user|cert|auth)[ \t=]{{1,8}}{_USER_AND}",
    ),
    Command(
        ("sqlplus", "sqlldr", "rman", "exp", "imp", "sqlcl"), "sqlplusw?|sqlldr|rman|expd?p?|impd?p?|sqlcl",
        rf"(?<=[\s\"'=;])(?:userid=)?(?:[\"']|&quot;)?{_USER}/{_UP_TO_AT}",
    ),
    Command(("sshpass",), "sshpass", _short("p")),
    Command(("plink", "pscp", "psftp", "putty"), "plink|pscp|psftp|putty|kitty", _short("pw", r"[ \t]{1,8}(?=\S)")),
    Command(
        ("net ", "net1 "), r"net1?[ \t]{1,8}use",
        r"[ \t](?=[^\s\\/&*-]|&quot;|\\[\"'])(?![a-z]:(?:[\s]|$)|lpt\d|(?:[\"']|&quot;)(?:\\\\|[a-z]:))",
    ),
    Command(("net ", "net1 "), r"net1?[ \t]{1,8}user[ \t]{1,8}[^\s/]{1,64}", r"[ \t](?=[^\s/*])"),
    Command(("redis-cli", "valkey"), "redis-cli|valkey-cli|redis-benchmark", _short("a", r"[ \t]{0,8}(?=[^\s-])")),
    Command(
        ("openssl",), r"openssl", _short("k|K|pass|passin|passout|passwd|storepass", r"[ \t]{1,8}(?:[\"']?pass:)?(?![\"']?(?:env|file|fd|stdin)\b)(?=[^\s-])")
        + r"|(?<=[\s\"'])pass:(?=\S)|(?-i:(?<=\s)passwd(?:[ \t]{1,8}-(?!salt)\w{1,6})*[ \t]{1,8})(?=[^\s-])",
    ),
    Command(
        ("sqlcmd", "osql", "isql", "bcp", "tsql", "fisql", "sqsh", "dbisql", "bteq"), r"sqlcmd|osql|iisql|isql|isql-fb|bcp|tsql|fisql|sqsh|dbisql|defncopy",
        _short("P|pas|password", r"[ \t]{0,8}(?=[^\s-])"),
    ),
    Command(("isql", "iusql"), r"(?:isql|iusql)(?:[ \t]{1,8}-[bvwd]{1,8})*[ \t]{1,8}[^\s-]\S{0,63}[ \t]{1,8}[^\s-]\S{0,63}", r"^[ \t]{1,8}(?=[^\s-])"),
    Command(("mongo", "influx", "cqlsh", "beeline", "couch", "clickhouse", "arango"), r"mongo\w{0,10}|influx|cqlsh|beeline|couchbase-cli|clickhouse-client|arangosh", _short("p", r"[ \t]{0,8}(?=[^\s-])")),
    Command(("ldap",), r"ldap\w{2,12}", _short("w", r"[ \t]{0,8}(?=[^\s-])")),
    Command(("smbclient", "rpcclient", "smbmap", "wmic", "winexe", "smbget", "rpc"), r"smbclient|rpcclient|winexe|smbget|smbcacls|net[ \t]{1,4}r(?:pc|ads)", r"(?<=[\s])(?:-U|--user(?:name)?=?)[ \t]{0,8}[\"']?[^\s%\"']{1,128}%(?=\S)"),
    Command(("zip", "rar", "7z"), r"zip|unzip|zipcloak", _short("P", r"[ \t]{0,8}(?=[^\s-])")),
    Command(("7z", "rar"), r"7z[ar]?|rar|unrar|winrar", _short("p|hp", r"(?=[^\s-])")),
    Command(("psexec", "paexec"), r"psexec(?:64)?|paexec|psservice|pskill|pslist", r"(?<=\s)-p[ \t]{1,8}(?=\S)"),
    Command(("schtasks",), "schtasks", r"(?<=\s)/r?p[ \t]{1,8}(?=[^\s/])"),
    Command(("xfreerdp", "mstsc", "rdesktop"), r"xfreerdp3?|wfreerdp|rdesktop", r"(?<=\s)(?:/p:|-p[ \t]{1,8})(?=\S)"),
    Command(
        ("docker", "podman", "az ", "oc ", "helm", "skopeo", "buildah", "cf ", "nerdctl"), r"(?:docker|podman|oc|helm(?:[ \t]registry)?|skopeo|buildah|nerdctl|az|cf)[ \t]{1,8}(?:acr[ \t]{1,8})?login",
        r"(?<=\s)(?-i:-p)[ \t=]{1,8}(?=\S)",
    ),
    Command(("ipmi", "bmc", "pmcmd", "impdb", "sapcontrol", "dsmadmc"), r"ipmitool|ipmiutil|bmc-\w{1,12}|pmcmd|pmrep|infacmd|vncdo", _short("P|p|x", r"[ \t]{0,8}(?=[^\s-])")),
    Command(("sapcontrol", "startsap"), "sapcontrol", r"(?<=\s)-user[ \t]{1,8}\S{1,64}[ \t]{1,8}"),
    Command(("snmp",), r"snmp\w{2,12}", _short("c|A|X", r"[ \t]{0,8}(?=[^\s-])")),
    Command(("ssh-keygen",), "ssh-keygen", _short("N|P", r"[ \t]{1,8}(?=[^\s-])")),
    Command(("htpasswd", "htdigest", "saslpasswd"), r"htpasswd2?(?:[ \t]{1,8}-\w{1,8})*[ \t]{1,8}[^\s-]\S{0,255}[ \t]{1,8}[^\s-]\S{0,128}", r"^[ \t]{1,8}(?=\S)"),
    Command(("useradd", "usermod", "mkpasswd"), r"useradd|usermod|adduser|mkpasswd", _short("p", r"[ \t]{1,8}(?=[^\s-])")),
    Command(("vault",), r"vault[ \t]{1,4}login", r"[ \t](?=[^\s-][^\s=]{7})"),
    Command(("wpa_",), r"wpa_passphrase[ \t]{1,4}\S{1,64}", r"[ \t](?=\S)"),
    Command(("ncftp", "sftp", "ftp", "wput"), r"ncftp\w{0,6}|wput|yafc", _short("p", r"[ \t]{1,8}(?=\S)")),
    Command(("ftpuse", "wmic", "cscript", "winrs", "evil-winrm"), r"winrs|evil-winrm|wbemtest", r"(?<=\s)(?:[-/]p(?:assword)?)[: \t](?=\S)"),
)  # fmt: skip
