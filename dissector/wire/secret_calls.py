"""Secrets in statements of SQL and in calls of programming languages, as data for Python and Lua.

As in ``secret_shapes``.
"""

from __future__ import annotations

from dissector.wire.secret_rules import NAMES, QUOTE, SecretShape

CALLS: tuple[SecretShape, ...] = (
    # SQL
    SecretShape(
        "identified",
        r"identified[ \t\r\n]{1,8}(?:with[ \t\r\n]{1,8}\S{1,64}[ \t\r\n]{1,8}(?:as|by)|by)[ \t\r\n]{1,8}"
        r"(?:values[ \t\r\n]{1,8}|password[ \t\r\n]{1,8})?",
    ),
    SecretShape(
        "identified",
        r"identified[^;]{1,80}?by[ \t\r\n]{1,8}(?:\"[^\"\n]{1,128}\"|'[^'\n]{1,128}'|[^\s\"';]{1,128})[ \t\r\n]{1,8}"
        r"replace[ \t\r\n]{1,8}(?=[^\s;])",
    ),
    SecretShape(
        "conn",
        r"(?<![\w.-])conn(?:ect)?[ \t]{1,8}[\"']?[\w$#.]{1,64}(?:\[\w{1,64}\])?/(?:\"([^\"\n]{1,128})"
        r"|([^\s@/\"'&;<>]{1,128}))",
    ),
    # All values of a row in which one is secret.
    SecretShape(
        "insert",
        rf"insert\s{{1,8}}into\s{{1,8}}\S{{1,128}}?\s{{0,8}}\([^()]{{0,400}}?(?:{NAMES})[^()]{{0,400}}\)\s{{0,8}}values"
        r"\s{0,8}\(([^;\n]{1,4000})",
    ),
    SecretShape(
        "char|string",
        rf"(?:{NAMES})\w{{0,32}}[ \t]{{1,8}}(?:constant[ \t]{{1,8}})?(?:n?varchar2?|n?char|string)[ \t]{{0,4}}"
        rf"(?:\([^()\n]{{1,16}}\))?[ \t]{{0,8}}(?:not[ \t]null[ \t]{{0,8}})?(?::=|=|default)[ \t]{{0,8}}(?={QUOTE})",
    ),
    SecretShape("sp_addlogin", rf"sp_addlogin[ \t(]{{1,8}}[^\n,]{{1,200}},[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape("sp_password", r"sp_password[ \t]{1,8}([^\n;]{1,400})"),
    SecretShape(
        " using ",
        r"(?:connect|attach)[ \t]{1,4}to[ \t]{1,4}\S{1,64}[ \t]{1,4}user[ \t]{1,4}\S{1,64}[ \t]{1,4}using[ \t]{1,4}",
    ),
    SecretShape(".logon", r"\.logon[ \t]{1,4}[^\s,]{1,128},[ \t]{0,4}"),
    # PowerShell, Java, Perl, PHP, Python: the argument that is one.
    SecretShape(
        "securestring",
        rf"convertto-securestring(?:[ \t]{{1,8}}-string)?[ \t]{{1,8}}\(?[ \t]{{0,8}}(?={QUOTE}|[^\s$(-])",
    ),
    SecretShape(
        "credential|passwordauthentication|oci_connect|cx_oracle|oracledb",
        r"(?:(?:ps|network)?credentials?|passwordauthentication|oci_p?connect|(?:cx_oracle"
        r"|oracledb)\.connect)(?:\]?::new)?[ \t]{0,4}"
        rf"(?:\(|-argumentlist)[ \t]{{0,8}}\(?[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    SecretShape(
        "connect|newinstance",
        r"(?:getconnection|sql\.newinstance|dbi->connect(?:_cached)?|mysqli?_p?connect|pymysql\.connect|mysqldb\.connect"
        r"|new[ \t]pdo)[ \t]{0,4}\("
        rf"[^\n()]{{1,300}}?,[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    SecretShape(
        "mysqli|pdo",
        rf"new[ \t]{{1,4}}\\?(?:mysqli|pdo)[ \t]{{0,4}}\([^\n()]{{1,300}}?,[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    # VBScript: ADO, HTTP, network drives, WMI, the directory.
    SecretShape(
        ".open",
        r"\.open[ \t]{0,4}\(?[ \t]{0,4}(?!\"(?:get|post|put|delete|head|options|propfind|patch)\")"
        r"[^\n,]{1,300},[^\n,]{1,200}"
        rf",[ \t]{{0,8}}(?={QUOTE})",
    ),
    SecretShape(
        ".open|mapnetworkdrive",
        r"(?:\.open|mapnetworkdrive)[ \t(]{1,8}[^\n,]{1,300},[^\n,]{1,300},[ \t]{0,8}(?:true|false|0|1)?[ \t]{0,8},"
        rf"[^\n,]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    SecretShape("connectserver", rf"connectserver[ \t(]{{1,8}}(?:[^\n,]{{0,200}},){{3}}[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape("opendsobject", rf"opendsobject[ \t(]{{1,8}}(?:[^\n,]{{0,200}},){{2}}[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape("setcredentials", rf"setcredentials[ \t(]{{1,8}}[^\n,]{{0,200}},[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape(
        "set_authentication|httpbasicauth",
        rf"(?:set_authentication|httpbasicauth)[ \t]{{0,4}}\((?:[^\n,()]{{1,200}},){{1,2}}[ \t]{{0,8}}(?={QUOTE})",
    ),
    SecretShape("auth", rf"auth[ \t]{{0,4}}=[ \t]{{0,4}}\([^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape("login", rf"(?:\.|->)login[ \t]?\([ \t]{{0,8}}(?:{QUOTE})?[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape("set_password", rf"\.set_password[ \t]?\((?:[^\n,()]{{1,200}},){{2}}[ \t]{{0,8}}(?={QUOTE})"),
    SecretShape(
        "securestring", r"(?:\"([^\"\n]{1,128})\"|'([^'\n]{1,128})')[ \t]{0,8}\|[ \t]{0,8}convertto-securestring"
    ),
    # An object that is the value of a secret's name and has a member "value".
    SecretShape(
        "value",
        rf"(?:{NAMES})[\w.-]{{0,32}}[\"']\s{{0,8}}:\s{{0,8}}\{{\s{{0,8}}[\"']value[\"']\s{{0,8}}:\s{{0,8}}(?={QUOTE})",
    ),
)
