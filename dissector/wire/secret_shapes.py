"""What a secret looks like by itself, as data for Python and Lua.

As in ``secret_rules``.  In a ``Shape`` the group that matched is the secret; where none did,
it is the value that begins where the match ends.  The text is plain: nothing of it is written as XML needs it.
"""

from __future__ import annotations

from dissector.wire.secret_calls import CALLS
from dissector.wire.secret_lines import LINES
from dissector.wire.secret_rules import NAMES, QUOTE, SecretShape
from dissector.wire.secret_rules import NO_SECRET as _NO_SECRET

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
        r"whsec_[\w+/=-]{16,80}|tskey-[a-z]{2,12}-[\w-]{10,80}|figd_[\w-]{20,60}|NRAK-[A-Z0-9]{20,40}",
    )
)
_HASHES = r"\$(?:1|2[abxy]|5|6|y|7|apr1|argon2id?)\$[\w./$,=+-]{16,200}|\{S?SHA(?:256|512)?\}[\w+/=]{20,200}"
_PASSWORD_READERS = (
    r"(?:sudo|su|doas|passwd|chpasswd|kinit|cryptsetup|runas|gpg2?|openssl|docker|podman|plink|pscp|ssh|sshpass|net"
    r"|smbclient|mount"
    r"|keytool|ecryptfs-\w+|gnome-keyring-daemon|saslpasswd2|htpasswd|realm|adcli|vault|oc|kubectl|helm|az|gh"
    r"|faillock|expect)"
)

#: What is no user before a slash: services of Kerberos, owners of modules.
_NO_USER = (
    r"(?:http|https|host|nfs|cifs|ldap|imap|smtp|pop|ftp|dns|hdfs|hive|yarn|mapred|zookeeper|kafka|postgres|mssqlsvc|krbtgt"
    r"|kadmin|termsrv|wsman|afs|actions|github|library)"
)
_DATABASE = r"//|\(|\"|(?!sha(?:256|512):)(?![\w-]{0,64}\.(?:service|socket|timer))\w"
#: A module with its version: foo/build-push@v1.2; a password of plain letters at a database of such a name looks alike.
_MODULE = (
    r"(?-i:(?!(?:scott|system|sys|sysdba|hr|oracle|dba)/)[a-z][\w]{0,29}/[a-z]{1,40}(?:-[a-z]{1,40}){0,8})"
    r"@(?:v\d{1,6}(?:\.\d{1,6}){0,2}|\d{1,6}(?:\.\d{1,6}){1,2})(?![\w.])"
)
#: What a signature is said to be, or an algorithm.
_NO_SIGNATURE = (
    r"(?:sha|md|rsa|dsa|ecdsa|hmac|ed)-?\d[\w-]{0,40}|(?:untrusted|trusted|unsigned|signed|verif\w{1,20}|mismatch\w{0,4}"
    r"|rsa|dsa|ecdsa|hmac|void|int|long|string|boolean|public|static|algorithm|version|method|type|pending|skipped|matches"
    r"|self-signed|g(?:\xfc|\xc3\xbc|ue)ltige?|ung(?:\xfc|\xc3\xbc|ue)ltige?)"
)

#: What stands before an address, a place or a word that no password follows: ``mailto:bob@host``, ``ERROR:main@host``.
_LABELS = (
    r"(?:mailto|e-?mails?|mails?|sips?|acct|xmpp|jid|im|to|from|b?cc|sender|recipients?|reply-to|return-path|contact"
    r"|author|owner|account|principal|host|server|node|member|by|an|von|empf(?:\xe4|\xc3\xa4|ae)nger|absender|kopie"
    r"|benutzer|konto|https?|file|urn|did|tel|git|ssh|image|tag|digest|sha\d{1,3}|error|warn(?:ing)?|info|debug|fatal|trace"
    r"|job|order|state|status|thread[\w-]{0,8}|class)"
)
#: Letters of both cases, digits and others mixed, as in no word.
_NO_WORD = r"(?=[^\s@]{0,64}(?:\d|[!#$%^*+?~=]|(?-i:[a-z][A-Z])))"
#: Two words with a slash between them that are no user and password.
_NO_PAIR = (
    r"(?:and|und|read|r|on|yes|true|ok|client|server|user(?:name)?|login|name|host|in|input|public|http|basic|kerberos"
    r"|ldap|either|his|a|an|i|n|w|access|key|id|saml|oauth\d?|api|tmp|etc|opt|home|var|usr|root)"
)
#: A port is no password.
_NO_PORT = r"(?!\d{1,5}(?![^\s,;&)\"'<>]))"

SHAPES: tuple[SecretShape, ...] = (
    # A private key, all of it, also when it is cut off.
    SecretShape(
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----([^-]*(?:-(?!----END)[^-]*){0,16})",
        exact=True,
    ),
    SecretShape("private-lines", r"Private-Lines: \d{1,4}((?:\s{1,4}[A-Za-z0-9+/=]{1,80}){0,200})", exact=True),
    SecretShape(
        "akia|asia|abia|acca|a3t|gh|github_pat|gl|xox|xapp|eyj|aiza|ya29|gocspx|k_|sk-|sg.|npm_|pypi-|hf_|dckr|_v1_|hv|dapi|shp"
        "|lin_api|atatt|age-s|:aa|whsec_|tskey-|figd_|nrak-",
        rf"(?<![\w])({_TOKENS})",
        exact=True,
    ),
    SecretShape("$|sha", f"({_HASHES})", exact=True),
    SecretShape("hooks.slack", r"hooks\.slack\.com/(?:services|workflows)/([\w/]{8,200})"),
    # What signs a URL, or another text.
    SecretShape("sig", r"[?&;](?:x-amz-|x-goog-)?sig(?:nature)?=([\w%+/=.~-]{1,500})"),
    SecretShape(
        "sig",
        r"(?<![\w.])(?:x-[\w-]{0,32})?sig(?:nature)?[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?:sha(?:1|256|512)=)?"
        r"(?!(?:sha|md|rsa|ecdsa|hmac)-?\d)(?=[\w%+/.~-]{0,64}\d)(?=[\w%+/.~-]{0,64}[a-z])([\w%+/=.~-]{6,500})",
    ),
    # One without a digit in it.
    SecretShape(
        "signature",
        r"(?<![\w.])(?:x-[\w-]{0,32})?signature[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?:sha(?:1|256|512)=)?"
        rf"(?!{_NO_SECRET})(?!{_NO_SIGNATURE}(?![\w-]))([\w%+/=.~-]{{4,500}})(?![\w%+/=.~(\[-])",
    ),
    SecretShape(
        "sig",
        r"(?<![\w.])(?:x-[\w-]{0,32})?sig[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?:sha(?:1|256|512)=)?"
        r"(?-i:(?=[\w%+/.~-]{0,64}[a-z][A-Z])(?=[\w%+/.~-]{0,64}[A-Z][a-z])|(?=[A-Za-z]{20})|(?=[\w+/]{8,400}=))"
        r"([\w%+/=.~-]{8,500})(?![\w%+/=.~(\[-])",
    ),
    SecretShape("code=|auth=", r"[?&](?:code|auth)=([\w%+/=.~-]{8,500})"),
    # auth=user:X, --auth user:X
    SecretShape(
        "auth",
        r"(?<![\w.])(?:-{1,2}|/)?(?:[\w-]{0,24}-|basic)?auth(?:entication|enticate)?"
        r"(?:[\"']?[ \t]{0,4}[:=][ \t]{0,4}|(?<=[-/]auth)[ \t]{1,4})\\*"
        rf"(?:\"[a-z][^\"\n:]{{0,64}}:{_NO_PORT}([^\"\n]{{1,128}})|'[a-z][^'\n:]{{0,64}}:{_NO_PORT}([^'\n]{{1,128}})"
        rf"|[a-z][\w.@\\-]{{0,64}}:(?!//){_NO_PORT}([^\s,;&\"'<>]{{1,128}}))",
    ),
    # The name of a session opens it; numbers of nine digits and less count something.
    SecretShape(
        "sess",
        r"(?<![a-z])sess(?:ion)?[ _-]?id[\"']?(?:[ \t]{0,4}:[ \t]{0,4}|[=>]|[ \t]{0,4}=[ \t]{0,4}(?=\S{0,64}\d))"
        r"\\*[\"']?"
        r"(?!\d{1,9}(?![\w%+/=.~-]))"
        rf"(?!{_NO_SECRET})([\w%+/=.~-]{{4,500}})",
    ),
    # user:X@host, as in a URL without its scheme; where X is a word, only at a host that is no word.
    SecretShape(
        "@",
        rf"(?<![\w.:/@%+\x80-\xff-])(?!{_LABELS}:)[a-z][\w.-]{{0,31}}:(?!\d{{1,9}}@){_NO_WORD}"
        r"([^\s:/@\"'<>&;,|()\[\]{}]{3,128})@(?!sha\d|[a-f\d]{6,16}(?![\w.-]))(?=[a-z\d\[][\w.:-])",
    ),
    SecretShape(
        "@",
        rf"(?<![\w.:/@%+\x80-\xff-])(?!(?:{_LABELS}|user(?:name)?|login):)[a-z][\w-]{{0,31}}:([a-z]{{3,32}})"
        r"@(?!sha\d)(?=[\w-]{1,63}\.[\w-]|\[|[a-z_]{1,12}\d{1,4}(?![\w-]))",
    ),
    # user/X@db, as Oracle's programs take it; a/b@... is also a principal, a version of a module, a unit of systemd.
    SecretShape(
        "@",
        rf"(?<![\w.:/@\\-])(?!{_NO_USER}/)(?!{_MODULE})[A-Za-z][\w$#]{{0,29}}(?:\[\w{{1,30}}\])?/"
        rf"(?:\"([^\"\n]{{1,128}})\"|([^\s@/\"'&;<>,|()*]{{1,128}}))@(?={_DATABASE})",
    ),
    # A file of PostgreSQL: host:port:database:user:X.
    SecretShape(
        ":*:|:543|pgpass",
        r"(?<![\w.:/*-])(?:[\w.*-]{1,255}|\[[0-9a-f:]{2,45}\]):(?:\d{2,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:([^\s\"']{1,128})",
    ),
    SecretShape(":pserver:", r":pserver:[^\s:@]{1,64}:([^\s@]{1,128})@"),
    # What a program is to read from its standard input.
    SecretShape(
        "echo|printf",
        r"(?:echo|printf)(?:\.exe)?[ \t]{1,8}(?:-[nee]{1,3}[ \t]{1,8})?(?:[\"']%s(?:\\n)?[\"'][ \t]{1,8})?([^\n"
        r"|]{1,200}?)[ \t]{0,8}\|"
        rf"[ \t]{{0,8}}(?:[\w./-]{{0,40}}/)?{_PASSWORD_READERS}(?![\w-])",
    ),
    SecretShape(
        "<<<",
        rf"(?<![\w-])(?:read[ \t]{{1,8}}[^\n<]{{0,80}}?(?:{NAMES})\w{{0,32}}|--?pass\w{{0,12}}-(?:stdin|fd[ =]\d))"
        r"[^\n<]{0,80}<<<[ \t]{0,8}",
    ),
    SecretShape(
        "set", rf"(?<![\w-])set[ \t]{{1,8}}(?:\w{{0,32}}_)?(?:pass|passwd|password|pwd?|pin)[ \t]{{1,8}}(?={QUOTE})"
    ),
    SecretShape("<<<", rf"(?<![\w-]){_PASSWORD_READERS}(?![\w-])[^\n<]{{0,200}}<<<[ \t]{{0,8}}"),
    SecretShape(
        "<<",
        r"(?<![\w-])(?:sudo|passwd|chpasswd|kinit|su)(?![\w-])[^\n<]{0,200}<<-?[ \t]{0,4}[\"']?\w{1,32}[\"']?"
        r"[ \t]{0,4}\r?\n([^\r\n]{1,200})",
    ),
    SecretShape(
        "assword|asswort",
        r"asswor[dt][^\n;]{0,80}[\n;{}][^\n]{0,40}?send(?:_user)?[ \t]{1,8}(?:--[ \t]{1,8})?\\*\"((?:[^\"\\]"
        r"|\\[^r\"n]){1,128})",
    ),
    # ftp: lines of its own.
    SecretShape(
        "user",
        r"(?:^|\n)[ \t]{0,8}(?:quote[ \t]{1,8})?user[ \t]{1,8}[^\s:=/]{1,64}[ \t]{1,8}([^\s:=]{1,128})[ \t]{0,8}(?="
        r"[\r\n<&]|$)",
    ),
    SecretShape(
        "pass",
        r"(?:^|[\n>:])[ \t]{0,8}(?:quote[ \t]{1,8})?PASS[ \t]{1,8}([^\s]{1,128})[ \t]{0,8}(?=[\r\n<&\"']|$)",
        exact=True,
    ),
    SecretShape("credential", r"credentials?[ \t]{1,4}(?:are|is)[ \t]{1,4}[\w.@-]{1,64}[/:]([^\s,;]{1,128})"),
    SecretShape(
        "cred|zugangsdaten|logindaten",
        r"(?<![\w/.-])(?:cred(?:ential)?s?|zugangsdaten|logindaten)"
        r"(?:[ \t]{1,4}(?:were|used|sind|lauten|waren|(?:for|of|f(?:\xfc|\xc3\xbc|ue)r|von)[ \t]{1,4}[\w.-]{1,64}))?"
        rf":?[ \t]{{1,4}}[\"'(]?(?!{_NO_PAIR}[/:])[a-z][\w.@\\-]{{0,64}}[/:](?!{_NO_PAIR}(?![\w-])){_NO_PORT}"
        r"([^\s,;:/)&\"'<>]{1,128})(?![\w/:])",
    ),
    SecretShape(
        "code",
        r"(?:verification|security|confirmation|access|one[ -]time|2fa|mfa)[ _-]code(?:[ \t]{1,4}(?:is|lautet))?"
        r"[ \t]{0,4}[:=]?[ \t]{0,4}(?=[a-z\d-]{0,8}\d)([a-z\d-]{4,64})",
    ),
    SecretShape("pass", r"user(?:name)?[ \t]{1,4}\S{1,64}[ \t]{1,4}pass[ \t]{1,4}(?=\S)"),
    SecretShape("authtoken", r"(?:add-|[ \t])authtoken[ \t]{1,4}(?=[\w-]{12})"),
    SecretShape(
        "session=",
        r"(?<![a-z])session=(?=[\w%+/=.~-]{0,64}\d)(?=[\w%+/=.~-]{0,64}[a-z])([\w%+/=.~-]{12,500})",
    ),
    # What opens a page, in its address.
    SecretShape(
        "saml|ticket=|sign=|hmac=|sid=",
        r"[?&;](?:saml(?:response|request|art)|ticket|sign|hmac|sid)=([\w%+/=.~-]{8,4000})",
    ),
    # user=bob/X, login bob:X, where X is no word.
    SecretShape(
        "login|logon|user=",
        r"(?<![\w/.-])(?:(?:login|logon|user)="
        r"|log[io]n(?:[ \t]{0,4}:[ \t]{0,4}|[ \t]{1,4}(?:(?:as|with|mit|als)[ \t]{1,4})?))"
        rf"[a-z][\w\\-]{{0,31}}[/:](?![/\d]|\*\*\*){_NO_WORD}(?=[^\s/:]{{6}})([^\s,;:/)&\"'<>]{{6,128}})(?![\w/:@.])",
    ),
    SecretShape("auth", r"[\"']auth[\"'][ \t]{0,4}:[ \t]{0,4}[\"']([\w+/=-]{12,500})"),
    SecretShape("login", r"login[ \t\r\n]{1,8}\S{1,64}[ \t\r\n]{1,8}password[ \t\r\n]{1,8}(?=\S)"),
    SecretShape(
        "requirepass|masterauth|authtok", r"(?:requirepass|masterauth|authtok)[ \t]{0,8}[ \t=][ \t]{0,8}(?=\S)"
    ),
    SecretShape(
        "auth",
        r"(?:^|[\n>])[ \t]{0,8}AUTH[ \t]{1,4}(?:PLAIN[ \t]{1,4})?(?!(?:LOGIN|PLAIN|CRAM|TLS|SSL|GSSAPI|NTLM|XOAUTH)\b)"
        r"([^\s,;:]{4,500})[ \t]{0,8}(?=[\r\n]|$)",
        exact=True,
    ),
    SecretShape("community", r"(?:snmp-server[ \t]{1,4}community|r[ow]community6?)[ \t]{1,4}(?=\S)"),
    SecretShape("/p:", r"(?<!\S)/p:(?![^\s=]{1,64}=)(?=[^\s\\/])"),
    SecretShape("bearer", r"bearer[ \t]{1,8}([\w.~+/=-]{16,4000})"),
    # A URL that is all name: https://TOKEN@host
    SecretShape("@", r"(?<![\w])https?://([\w~.-]{20,255})@"),
    *CALLS,
    *LINES,
)
