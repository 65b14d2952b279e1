r"""What the name of a secret is, and what stands between it and its value, as data for Python and Lua.

Patterns are what Python's ``re`` (ASCII) and PCRE2 (bytes) read alike: no ``\Z``, nothing possessive.  Every repetition
behind which a match may fail is bounded, so that time is linear; one of a group is not counted high, which PCRE2 writes
out.  ``secrets`` searches by them, ``codegen`` carries them into Lua.
"""

from __future__ import annotations

from typing import NamedTuple


class SecretShape(NamedTuple):
    """Looked for only where one of ``needs`` (in small letters, a ``|`` between two) is in the text.

    ``exact``: case counts.
    """

    needs: str
    pattern: str
    exact: bool = False


#: A part of the name of something that is not to be shown: db_password, apiKey, SSHPASS, userPin, Kennwort.
NAMES = "|".join(
    (
        r"wachtwoord|contrase(?:\xf1|\xc3\xb1|n)a|mots?[ _]?de[ _]?passe",
        "passw|passphrase|passcode|passkey|kennw|geheim|secret|token|credential|pwd|zugangsdaten|logindaten|losungswort|jsessionid|phpsessid",
        r"(?:zugangs|sicherheits|freigabe|entsperr)code",
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
NO_SECRET = (
    r"(?:an?|the|not|no|now|too|in|on|at|to|of|by|as|for|from|with|and|or|but|if|when|will|would|can|could|must|may"
    r"|should|has"
    r"|have|had|is|was|are|be|set|unset|ok|okay|valid|invalid|correct|incorrect|wrong|required|empty|missing|expired"
    r"|expir\w+"
    r"|weak|strong|blank|null|none|nil|true|false|unknown|unchanged|changed|being|been|needed|used|stored|saved"
    r"|hidden|masked"
    r"|encrypted|locked|bad|good|different|same|only|also|still|already|never|always|going|about|available|optional"
    r"|mandatory"
    r"|long|short|shorter|longer|older|case|read|taken|given|found|defined|present|absent|checked|verified|accepted"
    r"|rejected"
    r"|refused|denied|reset|updated|deleted|removed|generated|created|sent|there|here|this|that|it|your|my|our|his"
    r"|her|their|safe|out|known|kept|simple|exposed|leaked|public|in|rotated|mounted|referenced|loaded|ready"
    r"|file|files|field|prompt|policy|manager|management|authentication|auth|login|logon|store|protected|change"
    r"|changes|check"
    r"|entry|hash|length|rule|rules|age|expiry|error|failed|failure|failures|mismatch|shown|prints|printed|shows"
    r"|returns|returned"
    r"|command|commands|output|then|ls|cd|echo|exit|test|falsch|richtig|leer|nicht|kein|keine|ung(?:\xfc|\xc3\xbc"
    r"|ue)ltig"
    r"|g(?:\xfc|\xc3\xbc|ue)ltig|abgelaufen|erforderlich|korrekt|inkorrekt|gesetzt|zu|ein|eine|der|die|das|und|oder"
    r"|noch|wieder"
    r"|bereits|unbekannt|wurde|wird|ist|war|hat|muss|kann|soll|fehlt|ge\w{2,20}t)(?![\w-])"
)
#: What stands between a name and a value that was not taken: "password rejected: X".
_JUDGED = (
    r"(?:(?:in|un)?valid|wrong|(?:in)?correct|bad|rejected|refused|denied|expired|failed|accepted|unknown|mismatch|falsch"
    r"|(?:un)?g(?:\xfc|\xc3\xbc|ue)ltig|abgelehnt|abgelaufen|(?:in)?korrekt|zur(?:\xfc|\xc3\xbc|ue)ckgewiesen|richtig"
    r"|verweigert|unbekannt|(?:in)?valide|incorrecte?|expir(?:\xe9|\xc3\xa9|e)e?|incorrect[ao]"
    r"|no[ \t]v(?:\xe1|\xc3\xa1|a)lid[ao]"
    r"|onjuist|ongeldig|verkeerd)"
)
_FOR_WHOM = (
    r"(?:[ \t]{1,4}(?:for|of|f(?:\xfc|\xc3\xbc|ue)r|von|des)[ \t]{1,4}(?:(?:the|de[nmr])[ \t]{1,4})?"
    r"(?:user[ \t]{1,4}|benutzers?[ \t]{1,4})?[\w.@\"'\\-]{1,64})?"
)


#: Something that every text with a secret has in it, in small letters: what stands around a letter that is seldom.
#: Nearly all messages have none of it and are passed over, so this decides how fast: every alternative begins with one
#: letter, and ``re`` goes from one of these to the next.
HINT = "|".join(
    (
        r"p(?:ass|wd?|in|sk|hps|rivate-l|m_|ypi|i_|at_|[acps][ats]_|do[ \t]?\(|i[a-f0-9]{8}|(?<=otp)|(?<=snmp)"
        r"|(?<=exp)|(?<=imp)"
        r"|(?<=\.op)en|(?<=op)ends|(?<=map)netw|_addl|(?<=-hp)|(?<=/p)[: \t]|(?<=/rp)|(?<=[ \t\n\"';]-p))",
        r"c(?:red|rypt|ret|htwoord|ontrase|ket=(?<=ticket=)|=(?<=hmac=)|ommunity[ \t]"
        r"|ode(?:=|(?<=gscode)|(?<=tscode)|(?<=becode)|(?<=rrcode)"
        r"|(?<=[ _-]code)(?:[:=]|[ \t]is|[ \t]lautet))"
        r"|ert[ \t=]|ca[a-z0-9]{4}|onn(?:ect(?:ion)?[ \t(_]|[ \t(_]|ectserver)|vv)",
        r"u(?:th|til(?<=dtutil)|do|ress|res|essel|se[ \t]|ser[ \t=]|sing[ \t])",
        r"g(?:eheim|ged_in|on[ \t]|=|nature ?[^a-z ]|(?<=sig)[^a-z ]|(?<=losung)swort|(?<=log)indaten"
        r"|in[ \t(:=](?<=login[ \t(:=])|h[pousr]_|ithub_pat|l[a-z]{2,5}-|lsa_|ocspx|(?<=sg)\.)",
        r"k(?:ey|enn|init|r_pat|\.com/|(?<=tok)|(?<=cook)|_(?:live|test|prod)_|-|ia[a-z0-9]{16})",
        r"-(?<=[ \t\n\"';]-)[eakxnwupkb]|\*:|543[0-9]:",
        r"_(?<=hf_)|_(?<=v1_)|_(?<=figd_)|_(?<=whsec_)",
        r"y(?:(?<=[d \t\r\n][ \t\r\n]by)|a29|j(?<=eyj))",
        r"@|\||x(?:-j|ox|app|ec(?<=dtexec))|j(?:sess|wt)|q(?:(?<=sq)l|(?<=itmq)c)|v(?:ault|[sbr]?\.(?<=hv[sbr]\.))|z(?:ugang|a(?<=aiza))",
        r"\$(?:[1-7y]|2[abxy]|apr|arg)|\{s|<<|&lt;&lt;|\xfcss|\xbcss|b(?:(?<=ab)ia[a-z0-9]|earer|er(?<=remember))"
        r"|s(?:(?<=as)ia[a-z0-9]{16}|so\d?[\"'&\\]?[^a-z]?[:=]|id(?:[\"'&\\:=]|[ \t]:)|(?<=sess)(?:ion)?(?:[ _-]?id|=)"
        r"|(?<=[?&;]s)(?:aml|ign=|id=)|(?<=ras)dial)",
        r":(?:aa|(?:25|465|587|2525)[ \t]|(?<=\]:)[\ds])|3(?<=a3)t|3(?<=atatt3)x",
    )
)

#: Letters and others mixed, as in no word.
_MIXED = r"(?=[^\s,;:()]{0,64}\d)(?=[^\s,;:()]{0,64}[a-z!#$%^*+?@])(?=[^\s,;:()]{4})(?![\w.-]{0,64}/)"

ESCAPED = "\"'<>&\"'"

#: The pieces that the search is made of, by name.
PIECES: dict[str, str] = {
    "candidate": f"({HEADERS})|{NAMES}",
    # With the letters that ASCII lacks, one byte or two: "Passw\xf6rter".
    "name_rest": r"[\w.$-]*"
    r"(?:(?:[\xe4\xf1\xf6\xfc\xdf]|\xc3[\xa4\xb1\xb6\xbc\x9f]|\\u00(?:e4|f1|f6|fc|df))[\w.$-]*){0,4}",
    "whole_name": r"^[\w.$/:-]{1,256}$",
    "quote": QUOTE,
    # What stands between a name and its value; a comma does between two quoted words: set_var("password", "x").
    "assignment": rf"({QUOTE})?[ \t]{{0,64}}[)\]]{{0,2}}[ \t]{{0,64}}([!:+]?={{1,3}}(?:>|&(?:amp;){{0,32}}gt;)?"
    rf"|:(?!:)|,|->|%3[ad]|-c?(?:eq|ne)(?=[ \t]))(\s{{0,64}})(?:[nbruf@](?=[\"']))?",
    "prose": rf"{_FOR_WHOM}[ \t]{{1,4}}(?:(?:has|have)[ \t]been[ \t]{{1,4}}|was[ \t]{{1,4}}|is[ \t]{{1,4}}"
    rf"|wurde[ \t]{{1,4}})?"
    rf"(?:ge(?:ae|\xe4|\xc3\xa4)ndert[ \t]{{1,4}}auf|gesetzt[ \t]{{1,4}}auf|(?:re)?set[ \t]{{1,4}}to"
    rf"|changed[ \t]{{1,4}}to|now|is|was|are|were|to|lautet|lauten|ist|sind|war|auf|hei(?:ss|\xdf|\xc3\x9f)t)"
    rf"(?:[ \t]{{1,4}}now)?[ \t]{{0,4}}:?[ \t]{{1,4}}(?!{NO_SECRET})(?=\S)"
    rf"|{_FOR_WHOM[:-1]}[ \t]{{0,4}}:[ \t]{{1,4}}(?!{NO_SECRET})(?=\S)"
    rf"|[ \t]{{1,4}}(?:(?:is|was|ist|war|wurde|est|es|is[ \t]not|not|nicht)[ \t]{{1,4}})?{_JUDGED}[ \t]{{0,4}}"
    rf"[:=][ \t]{{0,4}}(?!{NO_SECRET})(?=[^\s\[({{]{{3,128}}[ \t]{{0,4}}(?![^\r\n,;&)\"'<])|{_MIXED})",
    # Names that stand in sentences of all kinds: their value has to look like one.
    "weak": "token|key|credential|creds",
    # "password X": where X can be told from a word.
    "follows": rf"[ \t]{{1,4}}{_MIXED}",
    "mixed": _MIXED,
    "letter": r"\w",
    "follows_quoted": rf"[ \t]{{1,4}}(?={QUOTE}[^\s\"'])",
    "follows_number": r"[ \t]{1,4}(?=\d{4,12}(?![\w.:-]))",
    "follows_word": rf"[ \t]{{1,4}}(?!{NO_SECRET})(?=[\w\"'!$%#@*?+])",
    # "neues Passwort X gesetzt", "the password X was changed".
    "follows_set": rf"[ \t]{{1,4}}(?!{NO_SECRET})(?=[^\s,;:()]{{1,128}}[ \t]{{1,4}}(?:(?:was|has[ \t]been|wurde|ist)"
    rf"[ \t]{{1,4}}(?:set|changed|saved|stored|assigned)|(?:(?:wurde|ist)[ \t]{{1,4}})?"
    rf"(?:(?:zur(?:\xfc|\xc3\xbc|ue)ck)?gesetzt"
    rf"|vergeben|gespeichert|ge(?:ae|\xe4|\xc3\xa4)ndert|festgelegt|eingestellt|eingetragen|hinterlegt|zugewiesen))(?![\w-]))",
    "follows_set_new": rf"[ \t]{{1,4}}(?!{NO_SECRET})(?=[^\s,;:()]{{1,128}}[ \t]{{1,4}}(?:set|changed|saved|stored"
    rf"|assigned)(?![\w-]))",
    "new_before": r"(?:^|[^\w-])(?:new|temporary|initial)[ \t]{1,4}(?![\s\S])",
    "noun": r"(?:(?<![\w$%{-])(?<![^\w]\.)|(?<=bind)(?=pw)|(?<=root)(?=pw)|(?<=[a-z])(?=passwort|kennwort))"
    r"(?:passwor[dt]|passwd|pwd|pw|kennwort|passphrase|(?:zugangs|sicherheits|freigabe|entsperr)code"
    r"|(pin|passcode|t?otp|geheimzahl)|(secret"
    r"|token|credentials?|(?:(?<=api )|(?<=access )|(?<=auth )|(?<=shared )|(?<=licen[cs]e ))key))(?![\w-])",
    "told_before": r"(?:with|using|via|mit|and|und|(?:user(?:name)?|login"
    r"|benutzer)[ \t:=]{1,4}[\w.@\"'\\-]{1,64}[ \t,]{0,4}(?:and|und)?)"
    r"[ \t]{1,4}(?:the[ \t]{1,4}|dem[ \t]{1,4})?(?![\s\S])",
    # An element of which the opening is cut off: PASSWORD>X.
    "tail": r"(?:>|&(?:amp;){0,32}gt;)(?=[^\s<>=&|/])",
    "tail_before": r"(?:^|[^\w.:$%{(</-])[\w.:-]{0,62}(?![\s\S])",
    "called": rf"[ \t]?\([ \t]{{0,8}}(?={QUOTE})",
    "member_name": r"\s{0,8}:",
    "option_hint": r"[\w./-](?![\s\S])",
    "set_hint": "setx|setenv|configure",
    "option": r"(?:^|[\s\"'`,;(])(?:--?|/)[\w.-]{0,62}(?![\s\S])",
    "set_before": r"(?:^|[\s\"'`;&|(])(?:setx(?:[ \t]{1,4}/\w{1,8})?|setenv"
    r"|configure[ \t]{1,4}set)[ \t]{1,8}[\"']?[\w.$-]{0,62}(?![\s\S])",
    "set_between": r"[\"']?[ \t]{1,8}(?=\S)",
    "blanks": rf"[ \t]{{1,64}}(?![\s-]|&(?:amp;){{0,32}}{_LESS})",
    # What stands before a value without quotes: in a header, in PowerShell, in YAML on the line before it.
    "scheme": r"(?:bearer|basic|digest|negotiate)[ \t]{1,8}"
    r"|\(?[ \t]{0,4}convertto-securestring[ \t]{1,8}(?:-string[ \t]{1,8})?"
    r"|[|>][+-]?[ \t]{0,4}\r?\n[ \t]{1,32}",
    # A value that is made of others: decrypt("X"), new String("X"), $(echo X), `echo X`.
    "call": r"(?:new[ \t]{1,4})?(?:\$|\[?[a-z_$][][\w.$:>-]{0,200})\((?=[^)\n])|`",
    "call_stop": r"[()\"'`\n&]",
    "joined_to": rf"[ \t]{{0,8}}(?:[.+]|\|\||&(?:amp;){{0,32}})[ \t]{{0,8}}(?={QUOTE})",
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
    # Elements of which one says the name and the next one the value.
    "naming_tag": r"(?:[\w.-]{1,32}:)?(?:name|key|string|param-name|parameter|property)(?![\w.:-])",
    "valuing_tag": r"(?:[\w.-]{1,32}:)?(?:value|string|text|content|default|param-value|data)(?![\w.:-])",
    "naming": rf"(?<![\w.-])(?:name|key|variable|param|parameter|id|attr"
    # <input type=password value=X>
    rf"|type(?=(?:{QUOTE})?\s{{0,8}}[:=]\s{{0,8}}(?:{QUOTE})?(?:passw|secret)))(?:{QUOTE})?\s{{0,8}}([:=])\s{{0,8}}({QUOTE})?",
    "valuing": rf"(?<![\w.-])(?:hex_|default_)?(?:value|default|content|text)({QUOTE})?\s{{0,8}}([:=])\s{{0,8}}",
    "url_word": r"[^\s\"<>]+",
    "oracle_url": r"jdbc:oracle:\w{1,64}:",
    "user_end": "[/@]",
    # The arguments of a command: quoted texts count as one, a line may go on behind a backslash.
    "argument_stop": r"[\n;|&\"'\\]",
    # What XML, or a string in a string, writes for each of ``ESCAPED``.
    "escaped": r"&(?:amp;){0,32}(?:(quot|#0*34|#x0*22)|(apos|#0*39|#x0*27)|(lt|#0*60|#x0*3c)|(gt|#0*62|#x0*3e)|(amp"
    r"|#0*38|#x0*26));"
    r"|\\{1,64}(?:(\")|('))",
    "argument_quoted": r"\"[^\"\n]*\"?|'[^'\n]*'?|\\(?:\r?\n|[^\n])|&(?:amp;){0,32}(?:quot|apos|lt|gt|#\d{1,6}"
    r"|#x[0-9a-f]{1,5});",
}
