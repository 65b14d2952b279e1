"""What a secret looks like by itself, and where one stands in a command line, as data for Python and Lua.

As in ``secret_rules``.  In a ``Shape`` and in a command's option the group that matched is the secret; where none did,
it is the value that begins where the match ends.  The text is plain: nothing of it is written as XML needs it.
"""

from __future__ import annotations

from typing import NamedTuple

from dissector.wire.secret_rules import QUOTE


class Shape(NamedTuple):
    """Looked for only where one of ``needs`` (in small letters, a ``|`` between two) is in the text.

    ``exact``: case counts.
    """

    needs: str
    pattern: str
    exact: bool = False


class Command(NamedTuple):
    """A program (what its name and its arguments begin with), and what in its arguments stands before a secret."""

    needs: str
    program: str
    options: str


# --- shapes --------------------------------------------------------------------------------------------------------

_TOKENS = "|".join(
    (
        r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
        r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent)-[\w-]{16,255}",
        r"xox[abceoprs][\w.]{0,4}-[\w-]{8,255}|xapp-\d-[\w-]{8,255}",
        r"eyJ[\w-]{6,8000}\.[\w-]{4,8000}(?:\.[\w-]{0,8000}){0,3}",
        r"AIza[\w-]{35}|ya29\.[\w-]{20,400}|GOCSPX-[\w-]{20,60}",
        r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,200}|sk-[\w-]{20,200}|SG\.[\w-]{16,40}\.[\w-]{16,60}",
        r"npm_[A-Za-z0-9]{30,60}|pypi-[\w-]{16,255}|hf_[A-Za-z0-9]{30,60}|dckr_pat_[\w-]{20,60}"
        r"|do[opr]_v1_[a-f0-9]{60,70}",
        r"hv[sbr]\.[\w-]{20,255}|dapi[a-f0-9]{32}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}|glsa_\w{32,60}|lin_api_\w{30,60}",
        r"ATATT3x[\w=-]{20,255}|AGE-SECRET-KEY-1[A-Z0-9]{50,70}|\d{8,10}:AA[\w-]{30,40}",
    )
)
_HASHES = r"\$(?:1|2[abxy]|5|6|y|7|apr1|argon2id?)\$[\w./$,=+-]{16,200}|\{S?SHA(?:256|512)?\}[\w+/=]{20,200}"
_PASSWORD_READERS = (
    r"(?:sudo|su|doas|passwd|chpasswd|kinit|cryptsetup|runas|gpg2?|openssl|docker|podman|plink|pscp|ssh|sshpass|net"
    r"|smbclient|mount"
    r"|keytool|ecryptfs-\w+|gnome-keyring-daemon|saslpasswd2|htpasswd|realm|adcli|vault|oc|kubectl|helm|az|gh"
    r"|faillock|expect)"
)

SHAPES: tuple[Shape, ...] = (
    # A private key, all of it, also when it is cut off.
    Shape(
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----([^-]*(?:-(?!----END)[^-]*){0,16})",
        exact=True,
    ),
    Shape("private-lines", r"Private-Lines: \d{1,4}((?:\s{1,4}[A-Za-z0-9+/=]{1,80}){0,200})", exact=True),
    Shape(
        "akia|asia|abia|acca|a3t|gh|gl|xox|xapp|eyj|aiza|ya29|gocspx|k_|sk-|sg.|npm_|pypi-|hf_|dckr|_v1_|hv|dapi|shp"
        "|lin_api|atatt|age-s|:aa",
        rf"(?<![\w])({_TOKENS})",
        exact=True,
    ),
    Shape("$|sha", f"({_HASHES})", exact=True),
    Shape("hooks.slack", r"hooks\.slack\.com/(?:services|workflows)/([\w/]{8,200})"),
    # What signs a URL.
    Shape("sig", r"[?&;](?:x-amz-|x-goog-)?sig(?:nature)?=([\w%+/=.~-]{1,500})"),
    Shape("code=|auth=", r"[?&](?:code|auth)=([\w%+/=.~-]{8,500})"),
    # SQL
    Shape("identified", r"identified[ \t\r\n]{1,8}by[ \t\r\n]{1,8}(?:values[ \t\r\n]{1,8}|password[ \t\r\n]{1,8})?"),
    Shape(
        "conn",
        r"(?<![\w.-])conn(?:ect)?[ \t]{1,8}[\"']?[\w$#.]{1,64}(?:\[\w{1,64}\])?/(?:\"([^\"\n]{1,128})"
        r"|([^\s@/\"'&;<>]{1,128}))",
    ),
    Shape(" using ", r"connect[ \t]{1,4}to[ \t]{1,4}\S{1,64}[ \t]{1,4}user[ \t]{1,4}\S{1,64}[ \t]{1,4}using[ \t]{1,4}"),
    Shape(".logon", r"\.logon[ \t]{1,4}[^\s,]{1,128},[ \t]{0,4}"),
    # What a program is to read from its standard input.
    Shape(
        "echo|printf",
        r"(?:echo|printf)(?:\.exe)?[ \t]{1,8}(?:-[nee]{1,3}[ \t]{1,8})?(?:[\"']%s(?:\\n)?[\"'][ \t]{1,8})?([^\n"
        r"|]{1,200}?)[ \t]{0,8}\|"
        rf"[ \t]{{0,8}}(?:[\w./-]{{0,40}}/)?{_PASSWORD_READERS}(?![\w-])",
    ),
    Shape("<<<", rf"(?<![\w-]){_PASSWORD_READERS}(?![\w-])[^\n<]{{0,200}}<<<[ \t]{{0,8}}"),
    Shape(
        "<<",
        r"(?<![\w-])(?:sudo|passwd|chpasswd|kinit|su)(?![\w-])[^\n<]{0,200}<<-?[ \t]{0,4}[\"']?\w{1,32}[\"']?"
        r"[ \t]{0,4}\r?\n([^\r\n]{1,200})",
    ),
    Shape(
        "assword|asswort",
        r"asswor[dt][^\n;]{0,80}[\n;}][^\n]{0,40}?send(?:_user)?[ \t]{1,8}(?:--[ \t]{1,8})?\\*\"((?:[^\"\\]"
        r"|\\[^r\"n]){1,128})",
    ),
    # ftp: lines of its own.
    Shape(
        "user",
        r"(?:^|\n)[ \t]{0,8}(?:quote[ \t]{1,8})?user[ \t]{1,8}[^\s:=]{1,64}[ \t]{1,8}([^\s:=]{1,128})[ \t]{0,8}(?="
        r"[\r\n<&]|$)",
    ),
    Shape(
        "pass",
        r"(?:^|[\n>:])[ \t]{0,8}(?:quote[ \t]{1,8})?PASS[ \t]{1,8}([^\s]{1,128})[ \t]{0,8}(?=[\r\n<&\"']|$)",
        exact=True,
    ),
    # PowerShell, Java, Perl, PHP, Python: the argument that is one.
    Shape(
        "securestring",
        rf"convertto-securestring(?:[ \t]{{1,8}}-string)?[ \t]{{1,8}}\(?[ \t]{{0,8}}(?={QUOTE}|[^\s$(-])",
    ),
    Shape(
        "credential|passwordauthentication|oci_connect|cx_oracle|oracledb",
        r"(?:(?:ps|network)?credentials?|passwordauthentication|oci_p?connect|(?:cx_oracle"
        r"|oracledb)\.connect)(?:\]?::new)?[ \t]{0,4}"
        rf"(?:\(|-argumentlist)[ \t]{{0,8}}\(?[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    Shape(
        "connect",
        r"(?:getconnection|dbi->connect(?:_cached)?|mysqli?_p?connect|pymysql\.connect|mysqldb\.connect"
        r"|new[ \t]pdo)[ \t]{0,4}\("
        rf"[^\n()]{{1,300}}?,[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    Shape(
        "mysqli|pdo",
        rf"new[ \t]{{1,4}}\\?(?:mysqli|pdo)[ \t]{{0,4}}\([^\n()]{{1,300}}?,[^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})",
    ),
    Shape("auth=(", rf"auth=\([^\n,()]{{1,200}},[ \t]{{0,8}}(?={QUOTE})"),
    Shape("bearer", r"bearer[ \t]{1,8}([\w.~+/=-]{16,4000})"),
    # A URL that is all name: https://TOKEN@host
    Shape("@", r"(?<![\w])https?://([\w~.-]{20,255})@"),
)

# --- command lines -------------------------------------------------------------------------------------------------

#: Before a program's name: the beginning, a blank, a folder, something that joins commands, a quote.
PROGRAM = r"(?<![\w.-])(?:%s)(?:\.exe|\.bat|\.cmd|\.sh)?(?=[ \t\"'&\\])"
_USER = r"[A-Za-z][\w$#.]{0,63}(?:\[\w{1,64}\])?"
_UP_TO_AT = r"(?:\\?\"([^\"\\\n]{1,128})|([^\s@/\"'&;<>]{1,128}))"
#: ``user:X`` in quotes or without.
_USER_AND = (
    r"(?:\"[^\s:\"]{0,128}:([^\"\n]{1,400})|'[^\s:']{0,128}:([^'\n]{1,400})"
    r"|[^\s:,\"'&-][^\s:,\"'&]{0,128}[:,](?=[^\s/]))"
)


def _short(options: str, behind: str = r"[ \t]{0,8}=?(?=[^\s-])") -> str:
    """Options of one dash, where case counts, with the value attached or behind blanks."""
    return rf"(?-i:(?<=[\s\"';])-(?:{options})){behind}"


COMMANDS: tuple[Command, ...] = (
    Command("mysql|mariadb", r"mysql\w{0,12}|mariadb(?:-\w{1,12})?", _short("p", r"(?=[^\s])")),
    Command(
        "curl|lftp|http ",
        "curl|lftp|https?",
        rf"(?-i:(?<=[\s\"';])-(?:u|U|E|a)[ \t]{{0,8}}){_USER_AND}|(?<=[\s\"'])--(?:proxy-|cert-)?(?:user|cert"
        rf"|auth)[ \t=]{{1,8}}{_USER_AND}"
        r"|(?<=[\s\"'])--oauth2-bearer[ \t=]{1,8}(?=\S)",
    ),
    Command(
        "sqlplus|sqlldr|rman|exp|imp|sqlcl",
        "sqlplusw?|sqlldr|rman|expd?p?|impd?p?|sqlcl",
        rf"(?<=[\s\"'=;])(?:userid=)?[\"']?{_USER}/{_UP_TO_AT}",
    ),
    Command("sshpass", "sshpass", _short("p")),
    Command("plink|pscp|psftp|putty", "plink|pscp|psftp|putty|kitty", _short("pw", r"[ \t]{1,8}(?=\S)")),
    Command(
        "net |net1 ",
        r"net1?[ \t]{1,8}use",
        r"[ \t](?=[^\s\\/&*-])(?![a-z]:(?:[\s]|$)|lpt\d|[\"'](?:\\\\|[a-z]:))",
    ),
    Command("net |net1 ", r"net1?[ \t]{1,8}user[ \t]{1,8}[^\s/]{1,64}", r"[ \t](?=[^\s/*])"),
    Command("redis-cli|valkey", "redis-cli|valkey-cli|redis-benchmark", _short("a", r"[ \t]{0,8}(?=[^\s-])")),
    Command(
        "openssl",
        r"openssl",
        _short(
            "k|K|pass|passin|passout|passwd|storepass",
            r"[ \t]{1,8}(?:[\"']?pass:)?(?![\"']?(?:env|file|fd|stdin)\b)(?=[^\s-])",
        )
        + r"|(?<=[\s\"'])pass:(?=\S)|(?-i:(?<=\s)passwd(?:[ \t]{1,8}-(?!salt)\w{1,6})*[ \t]{1,8})(?=[^\s-])",
    ),
    Command(
        "sqlcmd|osql|isql|bcp|tsql|fisql|sqsh|dbisql|bteq",
        r"sqlcmd|osql|iisql|isql|isql-fb|bcp|tsql|fisql|sqsh|dbisql|defncopy",
        _short("P|pas|password", r"[ \t]{0,8}(?=[^\s-])"),
    ),
    Command(
        "isql|iusql",
        r"(?:isql|iusql)(?:[ \t]{1,8}-[bvwd]{1,8})*[ \t]{1,8}[^\s-]\S{0,63}[ \t]{1,8}[^\s-]\S{0,63}",
        r"^[ \t]{1,8}(?=[^\s-])",
    ),
    Command(
        "mongo|influx|cqlsh|beeline|couch|clickhouse|arango",
        r"mongo\w{0,10}|influx|cqlsh|beeline|couchbase-cli|clickhouse-client|arangosh",
        _short("p", r"[ \t]{0,8}(?=[^\s-])"),
    ),
    Command("ldap", r"ldap\w{2,12}", _short("w", r"[ \t]{0,8}(?=[^\s-])")),
    Command(
        "smbclient|rpcclient|smbmap|wmic|winexe|smbget|rpc",
        r"smbclient|rpcclient|winexe|smbget|smbcacls|net[ \t]{1,4}r(?:pc|ads)",
        r"(?<=[\s])(?:-U|--user(?:name)?=?)[ \t]{0,8}[\"']?[^\s%\"']{1,128}%(?=\S)",
    ),
    Command("zip|rar|7z", r"zip|unzip|zipcloak", _short("P", r"[ \t]{0,8}(?=[^\s-])")),
    Command("7z|rar", r"7z[ar]?|rar|unrar|winrar", _short("p|hp", r"(?=[^\s-])")),
    Command("psexec|paexec", r"psexec(?:64)?|paexec|psservice|pskill|pslist", r"(?<=\s)-p[ \t]{1,8}(?=\S)"),
    Command("schtasks", "schtasks", r"(?<=\s)/r?p[ \t]{1,8}(?=[^\s/])"),
    Command("xfreerdp|mstsc|rdesktop", r"xfreerdp3?|wfreerdp|rdesktop", r"(?<=\s)(?:/p:|-p[ \t]{1,8})(?=\S)"),
    Command(
        "docker|podman|az |oc |helm|skopeo|buildah|cf |nerdctl",
        r"(?:docker|podman|oc|helm(?:[ \t]registry)?|skopeo|buildah|nerdctl|az|cf)[ \t]{1,8}(?:acr[ \t]{1,8})?login",
        r"(?<=\s)(?-i:-p)[ \t=]{1,8}(?=\S)",
    ),
    Command(
        "ipmi|bmc|pmcmd|impdb|sapcontrol|dsmadmc",
        r"ipmitool|ipmiutil|bmc-\w{1,12}|pmcmd|pmrep|infacmd|vncdo",
        _short("P|p|x", r"[ \t]{0,8}(?=[^\s-])"),
    ),
    Command("sapcontrol|startsap", "sapcontrol", r"(?<=\s)-user[ \t]{1,8}\S{1,64}[ \t]{1,8}"),
    Command("snmp", r"snmp\w{2,12}", _short("c|A|X", r"[ \t]{0,8}(?=[^\s-])")),
    Command("ssh-keygen", "ssh-keygen", _short("N|P", r"[ \t]{1,8}(?=[^\s-])")),
    Command(
        "htpasswd|htdigest|saslpasswd",
        r"htpasswd2?(?:[ \t]{1,8}-\w{1,8})*[ \t]{1,8}[^\s-]\S{0,255}[ \t]{1,8}[^\s-]\S{0,128}",
        r"^[ \t]{1,8}(?=\S)",
    ),
    Command("useradd|usermod|mkpasswd", r"useradd|usermod|adduser|mkpasswd", _short("p", r"[ \t]{1,8}(?=[^\s-])")),
    Command("vault", r"vault[ \t]{1,4}login", r"[ \t](?=[^\s-][^\s=]{7})"),
    Command("wpa_", r"wpa_passphrase[ \t]{1,4}\S{1,64}", r"[ \t](?=\S)"),
    Command("ncftp|sftp|ftp|wput", r"ncftp\w{0,6}|wput|yafc", _short("p", r"[ \t]{1,8}(?=\S)")),
    Command(
        "ftpuse|wmic|cscript|winrs|evil-winrm",
        r"winrs|evil-winrm|wbemtest",
        r"(?<=\s)(?:[-/]p(?:assword)?)[: \t](?=\S)",
    ),
)
