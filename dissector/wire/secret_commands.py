"""Where a secret stands in a command line, as data for Python and Lua.

As in ``secret_shapes``: in a command's option the group that matched is the secret; where none did, it is the value
that begins where the match ends.
"""

from __future__ import annotations

from typing import NamedTuple

from dissector.wire.secret_rules import NAMES


class Program(NamedTuple):
    """A program (what its name and its arguments begin with), and what in its arguments stands before a secret."""

    needs: str
    program: str
    options: str


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


#: Between a program and its first word.
_EXE = r"(?:\.exe)?[\"']?"
_NAMED_BY_OPTION = "(?:set|new)-itemproperty|put-parameter|create-secret"


def _named(name: str, value: str) -> str:
    """A value that an option gives to what another option, on either side, names."""
    named = rf"{name}[ \t=:]{{1,4}}(?:[\w.\\/-]{{0,64}}|[\"'][^\"'\n]{{0,64}})(?:{NAMES})"
    given = rf"(?<=\s){value}[ \t=:]{{1,4}}(?=[^\s/-])"
    return rf"(?<=\s){named}[^\n]{{0,200}}?{given}|{given}(?=[^\n]{{1,300}}?\s{named})"


COMMANDS: tuple[Program, ...] = (
    Program("mysql|mariadb", r"mysql\w{0,12}|mariadb(?:-\w{1,12})?", _short("p", r"(?=[^\s])")),
    Program(
        "curl|lftp|http ",
        "curl|lftp|https?",
        rf"(?-i:(?<=[\s\"';])-(?:u|U|E|a)[ \t]{{0,8}}){_USER_AND}|(?<=[\s\"'])--(?:proxy-|cert-)?(?:user|cert"
        rf"|auth)[ \t=]{{1,8}}{_USER_AND}"
        r"|(?<=[\s\"'])--oauth2-bearer[ \t=]{1,8}(?=\S)",
    ),
    Program(
        "sqlplus|sqlldr|rman|exp|imp|sqlcl|br",
        "sqlplusw?|sqlldr|rman|expd?p?|impd?p?|sqlcl|br(?:connect|backup|archive|restore|recover|space|tools)",
        rf"(?<=[\s\"'=;])(?:userid=)?[\"']?{_USER}/{_UP_TO_AT}",
    ),
    Program("sshpass", "sshpass", _short("p")),
    Program("plink|pscp|psftp|putty", "plink|pscp|psftp|putty|kitty", _short("pw", r"[ \t]{1,8}(?=\S)")),
    Program(
        "use",
        rf"net1?{_EXE}[ \t]{{1,8}}use",
        r"[ \t](?=[^\s\\/&*-])(?![a-z]:(?:[\s]|$)|lpt\d|[\"'](?:\\\\|[a-z]:)|https?://)",
    ),
    Program("user", rf"net1?{_EXE}[ \t]{{1,8}}user[ \t]{{1,8}}[^\s/]{{1,64}}", r"[ \t](?=[^\s/*])"),
    Program("reg", rf"reg{_EXE}[ \t]{{1,8}}add", _named("/v", "/d")),
    Program(
        "itemproperty|put-parameter|create-secret",
        _NAMED_BY_OPTION,
        _named("--?n(?:ame)?", "--?(?:value|v|secret-string)"),
    ),
    Program("redis-cli|valkey", "redis-cli|valkey-cli|redis-benchmark", _short("a", r"[ \t]{0,8}(?=[^\s-])")),
    Program(
        "openssl",
        r"openssl",
        _short(
            "k|K|pass|passin|passout|passwd|storepass",
            r"[ \t]{1,8}(?:[\"']?pass:)?(?![\"']?(?:env|file|fd|stdin)\b)(?=[^\s-])",
        )
        + r"|(?<=[\s\"'])pass:(?=\S)|(?-i:(?<=\s)passwd(?:[ \t]{1,8}-(?!salt)\w{1,6})*[ \t]{1,8})(?=[^\s-])",
    ),
    Program(
        "sqlcmd|osql|isql|bcp|tsql|fisql|sqsh|dbisql|bteq",
        r"sqlcmd|osql|iisql|isql|isql-fb|bcp|tsql|fisql|sqsh|dbisql|defncopy",
        _short("P|pas|password", r"[ \t]{0,8}(?=[^\s-])") + r"|(?<=\s)(?-i:/P)[ \t:]{1,8}(?=\S)",
    ),
    Program(
        "isql|iusql",
        r"(?:isql|iusql)(?:[ \t]{1,8}-[bvwd]{1,8})*[ \t]{1,8}[^\s-]\S{0,63}[ \t]{1,8}[^\s-]\S{0,63}",
        r"^[ \t]{1,8}(?=[^\s-])",
    ),
    Program(
        "mongo|influx|cqlsh|beeline|couch|clickhouse|arango",
        r"mongo\w{0,10}|influx|cqlsh|beeline|couchbase-cli|clickhouse-client|arangosh",
        _short("p", r"[ \t]{0,8}(?=[^\s-])"),
    ),
    Program("ldap", r"ldap\w{2,12}", _short("w", r"[ \t]{0,8}(?=[^\s-])")),
    Program(
        "smbclient|rpcclient|smbmap|wmic|winexe|smbget|rpc",
        r"smbclient|rpcclient|winexe|smbget|smbcacls|net[ \t]{1,4}r(?:pc|ads)",
        r"(?<=[\s])(?:-U|--user(?:name)?=?)[ \t]{0,8}[\"']?[^\s%\"']{1,128}%(?=\S)",
    ),
    Program(
        "smbclient",
        "smbclient",
        r"(?<=\s)[\"']?(?://|\\\\)[^\s\"']{1,255}[\"']?"
        r"(?:[ \t]{1,8}(?:-[NkPEgeq]"
        r"|-[UWIpc][ \t]{1,8}(?:\"[^\"\n]{0,128}\"|'[^'\n]{0,128}'|[^\s\"'-][^\s\"']{0,128}))(?=\s))"
        r"{0,4}[ \t]{1,8}(?=[^\s-])",
    ),
    Program("zip|rar|7z", r"zip|unzip|zipcloak", _short("P", r"[ \t]{0,8}(?=[^\s-])")),
    Program("7z|rar", r"7z[ar]?|rar|unrar|winrar", _short("p|hp", r"(?=[^\s-])")),
    Program("psexec|paexec", r"psexec(?:64)?|paexec|psservice|pskill|pslist", r"(?<=\s)-p[ \t]{1,8}(?=\S)"),
    Program("schtasks", "schtasks", r"(?<=\s)/r?p[ \t]{1,8}(?=[^\s/])"),
    Program("xfreerdp|mstsc|rdesktop", r"xfreerdp3?|wfreerdp|rdesktop", r"(?<=\s)(?:/p:|-p[ \t]{1,8})(?=\S)"),
    Program(
        "docker|podman|az |oc |helm|skopeo|buildah|cf |nerdctl",
        r"(?:docker|podman|oc|helm(?:[ \t]registry)?|skopeo|buildah|nerdctl|az|cf)[ \t]{1,8}(?:acr[ \t]{1,8})?login",
        r"(?<=\s)(?-i:-p)[ \t=]{1,8}(?=\S)",
    ),
    Program(
        "ipmi|bmc|pmcmd|impdb|sapcontrol|dsmadmc",
        r"ipmitool|ipmiutil|bmc-\w{1,12}|pmcmd|pmrep|infacmd|vncdo",
        _short("P|p|x", r"[ \t]{0,8}(?=[^\s-])"),
    ),
    Program("sapcontrol|startsap", "sapcontrol", r"(?<=\s)-user[ \t]{1,8}\S{1,64}[ \t]{1,8}"),
    Program("snmp", r"snmp\w{2,12}", _short("c|A|X", r"[ \t]{0,8}(?=[^\s-])")),
    Program("ssh-keygen", "ssh-keygen", _short("N|P", r"[ \t]{1,8}(?=[^\s-])")),
    Program(
        "htpasswd|htdigest|saslpasswd",
        r"htpasswd2?(?:[ \t]{1,8}-\w{1,8})*[ \t]{1,8}[^\s-]\S{0,255}[ \t]{1,8}[^\s-]\S{0,128}",
        r"^[ \t]{1,8}(?=\S)",
    ),
    # Without a file.
    Program(
        "htpasswd",
        r"htpasswd2?(?:[ \t]{1,8}-\w{1,8}){0,4}[ \t]{1,8}-\w{0,6}n\w{0,6}"
        r"(?:[ \t]{1,8}-\w{1,8}){0,4}[ \t]{1,8}[^\s-]\S{0,128}",
        r"^[ \t]{1,8}(?=\S)",
    ),
    Program("useradd|usermod|mkpasswd", r"useradd|usermod|adduser|mkpasswd", _short("p", r"[ \t]{1,8}(?=[^\s-])")),
    Program("vault", r"vault[ \t]{1,4}login", r"[ \t](?=[^\s-][^\s=]{7})"),
    Program(
        "dtexec|dtutil",
        "dtexec(?:ui)?|dtutil",
        r"(?<=\s)[-/](?:de(?:crypt)?|(?:source|dest)p(?:assword)?)[ \t:]{1,8}(?=\S)",
    ),
    Program("vsql", "vsql", _short("w", r"[ \t]{1,8}(?=[^\s-])")),
    Program("hdbsql|certutil|tdload", "hdbsql|certutil|tdload", _short("p", r"[ \t]{1,8}(?=[^\s-])")),
    Program("signtool", "signtool", r"(?<=\s)/p[ \t]{1,8}(?=\S)"),
    Program(
        "rasdial",
        r"rasdial(?:\.exe)?[ \t]{1,8}(?:\"[^\"\n]{1,64}\"|[^\s\"/]{1,64})[ \t]{1,8}[^\s/]{1,64}",
        r"^[ \t]{1,8}(?=[^\s/*])",
    ),
    Program("csvde|ldifde", "csvde|ldifde", r"(?<=\s)-b[ \t]{1,8}\S{1,64}[ \t]{1,8}\S{1,64}[ \t]{1,8}(?=[^\s*-])"),
    Program("smbpasswd", "smbpasswd", r"(?<=\s)(?:-[aLs]{1,3}[ \t]{1,8}){1,3}[^\s-]\S{0,64}[ \t]{1,8}(?=[^\s-])"),
    Program("iwconfig", "iwconfig", r"(?<=\s)key[ \t]{1,8}(?:s:)?(?=[^\s-])(?!(?:on|off|open|restricted)(?!\S))"),
    Program("p4|mosquitto", r"p4|mosquitto_\w{2,3}", _short("P", r"[ \t]{1,8}(?=[^\s-])")),
    Program("crypt", "[cm]crypt", _short("k|K", r"[ \t]{1,8}(?=[^\s-])")),
    Program(
        "rabbitmqctl",
        r"rabbitmqctl(?:[ \t]{1,8}-\S{1,64}(?:[ \t]{1,8}[^\s-]\S{0,64})??){0,2}[ \t]{1,8}"
        r"(?:add_user|change_password|authenticate_user)[ \t]{1,8}\S{1,64}",
        r"^[ \t]{1,8}(?=\S)",
    ),
    Program("startrfc|sapftp", "startrfc|sapftpa?", _short("p", r"[ \t]{1,8}(?=[^\s-])")),
    Program(
        "keychain|add-",
        r"security[ \t]{1,4}(?:(?:unlock|create|set)-keychain\S{0,16}|add-\w{1,16}-password|import|export)",
        _short("p|w|P", r"[ \t]{1,8}(?=[^\s-])"),
    ),
    Program("dsm", "dsm(?:c|admc|cad)", r"(?<=\s)-pas?[ \t]{0,4}=(?=\S)"),
    Program("sendemail", r"sendemail(?:\.pl)?", _short("xp", r"[ \t]{1,8}(?=[^\s-])")),
    # As in a URL without its scheme.
    Program("ftp", "s?ftp|lftp|ncftp", r"(?<=[\s\"'])[\w.-]{1,64}:([^\s@/:\"']{1,128})@(?=[\w.-])"),
    Program("wpa_", r"wpa_passphrase[ \t]{1,4}\S{1,64}", r"[ \t](?=\S)"),
    Program("ncftp|sftp|ftp|wput", r"ncftp\w{0,6}|wput|yafc", _short("p", r"[ \t]{1,8}(?=\S)")),
    Program(
        "ftpuse|wmic|cscript|winrs|evil-winrm",
        r"winrs|evil-winrm|wbemtest",
        r"(?<=\s)(?:[-/]p(?:assword)?)[: \t](?=\S)",
    ),
)
