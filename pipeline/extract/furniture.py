"""What stands around a story on news sites, in the words of several languages. Pure.

A line is furniture only as a whole: the same words in a sentence are the story's. Labels are listed by language, as they
stand on the sites; patterns are for lines that carry a name, a number or a headline besides.
"""

# ruff: noqa: E501, SIM905 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re

LONGEST_FURNITURE = 320
_LONGEST_POINTER = 200
_LONGEST_LABEL = 80

_NETWORKS = (
    r"(?:facebook|twitter|x|whatsapp|telegram|e-?mail|linkedin|pinterest|reddit|flipboard|messenger|bluesky|threads|instagram|pocket|tumblr|viber|vk"
    r"|google\s+news|вконтакте|одноклассники|copy\s+link|print|save|share)"
)

_FURNITURE = re.compile(
    rf"""
    (?:\W*(?:please\s+)?scroll\s+down\s+(?:for|to\s+(?:see|watch|read))\b.{{0,60}}
    | \W*(?:click|tap)\s+here\s+(?:to|for)\b.{{0,80}}
    | \W*(?:read|see|find\s+out|learn|show|view|load|watch)\s+more\W*(?:here|below|stories|comments)?\W*
    | \W*(?:read|see)\s+(?:more|also|next|full\s+(?:article|story))\s*[:>»…].{{0,160}}
    | \W*(?:also\s+read|read\s+also|you\s+may\s+also\s+like|you\s+might\s+also\s+like|recommended(?:\s+(?:for\s+you|stories|reading))?
        |related(?:\s+(?:articles?|stories|content|topics|links))|more\s+(?:from|on\s+this\s+story|stories|to\s+read)|most\s+(?:read|popular|viewed)
        |trending(?:\s+now)?|don.t\s+miss)\s*(?:[:>»…].{{0,160}})?
    | \W*(?:read|view)\s+(?:the\s+)?full\s+(?:article|story)\W*
    | \W*(?:continue|keep)\s+reading(?:\s+(?:below|the\s+main\s+story))?\W*
    | \W*(?:story|article)\s+continues\s+(?:below|after).{{0,60}}
    | \W*skip\s+(?:to\s+(?:content|main\s+content)|advertisement|ad|past\s+newsletter\s+promotion)\W*
    | \W*share\s+(?:this\s*)?(?:article|story|page|post)?\W*
    | \W*share\s+or\s+comment\s+on\s+this\s+article\b.{{0,200}}
    | \W*(?:click\s+(?:here\s+)?to\s+)?(?:share|teilen|partager|partilhar|compartir|compartilhar|condividi|delen|dela|del|jaa|udostępnij|sdílet|distribuie|megosztás|bagikan|podijeli|сподели|поделиться|поділитися)\s+(?:this\s+\w+\s+)?(?:on|via|by|auf|per|sur|par|en|por|no|na|su|op|på|в|у)\s+{_NETWORKS}\w{{0,3}}\b.{{0,40}}
    | \W*share\s+via\b.{{0,40}}
    | \W*(?:follow|folgen\s+sie|folge|suivez|sigue|síguenos|siga|segui|seguici|volg|följ|følg|seuraa|obserwuj|śledź|sledujte|подписывайтесь|підписуйтесь|ακολουθήστε|takip\s+edin)\s[^.!?]{{0,30}}\b{_NETWORKS}\w{{0,3}}\b[^.!?]{{0,30}}
    | \W*(?!x\b\W*x?)(?:{_NETWORKS}\b[\W\d]*)+
    | \W*(?:[\d,.]+k?\s+)?(?:shares?|views?|comments?|likes?|votes?(?:\s+so\s+far)?)\s*(?:[\d,.]+k?)?\W*
    | (?=(?:.*?\b(?:facebook|twitter|x\.com|whatsapp|telegram|e-?mail|linkedin|pinterest|reddit|instagram|bluesky)\b){{3}})[^.!?]{{1,60}}(?:\.com)?[^.!?]{{0,60}}
    | \W*[\d.,]*\s*(?:kommentare?|commentaires?|comentarios?|comentários?|commenti|reacties|kommentarer|komentarzy|комментари(?:й|я|ев)|kommenttia|yorum)\W*
    | \W*(?:[\d.,]+\+?\s+)?votes\s+so\s+far\W*
    | \W*(?:follow|like)\s+us\s+on\b.{{0,80}}
    | \W*(?:sign\s+up|subscribe|register)\s+(?:(?:now\s+)?(?:for|to)\s+(?:our|the|get)\b.{{0,120}}|here\W*|now\W*)?
    | .{{0,160}}\b(?:sign\s+up|subscribe)\s+(?:to|for)\s+our\s+(?:[\w-]+\s+){{0,3}}newsletters?\b.{{0,80}}
    | \W*sign\s+up\s+(?:for|to)\b.{{0,80}}\bnewsletters?\b.{{0,140}}
    | \W*sign\s+up\s+(?:to|for)\s+(?-i:[A-Z0-9])[^.?!]{{0,60}}
    | \W*newsletter\s*:.{{0,120}} | \W*v[íié]d[ée]os\s*:.{{0,100}}
    | .{{0,80}}\bnewsletters\s+may\s+contain\s+info\b.{{0,200}}
    | \W*you\s+are\s+receiving\s+this\s+(?:e-?mail|message|because)\b.{{0,160}} | \W*to\s+unsubscribe\b.{{0,120}}
    | \W*(?:you\s+can\s+)?download\s+(?:our|the)\s+(?:[\w-]+\s+){{0,3}}app\b.{{0,100}} | \W*lade(?:n\s+sie)?\s+(?:dir\s+)?.{{0,40}}\bapp\b.{{0,80}} | .{{0,50}}\bapp\W+download(?:\s+now)?\W*
    | \W*(?:close\s+)?thank(?:s|\s+you)\s+for\s+signing\s+up\W* | \W*watch\s+for\s+us\s+in\s+your\s+inbox\W* | \W*for\s+the\s+latest\s+news\b.{{0,80}}\b(?:head|go|tune|visit|stay|follow|download|click)\b.{{0,80}}
    | \W*your\s+browser\s+(?:does\s+not|doesn.t)\s+support\b.{{0,80}} | .{{0,40}}\bthe\s+trust\s+project\W*
    | \W*(?:get|download)\s+(?:the|our)\s+(?:free\s+)?(?:app|newsletter)\b.{{0,80}}
    | \W*(?:log|sign)\s+in(?:\s+to\s+(?:comment|continue|read|post).{{0,60}})?\W*
    | \W*(?:what\s+do\s+you\s+think\?\s+)?(?:comment\s+below|join\s+the\s+(?:conversation|discussion)|leave\s+a\s+(?:comment|reply)|post\s+a\s+comment)\W*
    | \W*loading(?:\s+(?:video|comments|more|tweet|post|ad))?\W*
    | \W*(?:play|watch|pause|mute|unmute|replay)(?:\s+(?:video|again|the\s+video|now))?\W*
    | \W*play\s+video\b.{{0,40}}\b(?:mute|skip|pause)\b.{{0,300}}
    | \W*(?:have\s+you\s+got|do\s+you\s+have|got)\s+a\s+(?:story|tip)\b.{{0,60}}\?.{{0,160}}
    | \W*(?:©|\(c\)|copyright)\s.{{0,160}}
    | .{{0,100}}\b(?:all\s+rights\s+reserved|alle\s+rechte\s+vorbehalten|tous\s+droits\s+réservés|todos\s+los\s+derechos\s+reservados|riproduzione\s+riservata|все\s+права\s+защищены|wszelkie\s+prawa\s+zastrzeżone|tüm\s+hakları\s+saklıdır)\.?\W*
    | \W*(?:we\s+use|this\s+(?:site|website)\s+uses)\s+cookies\b.{{0,300}}
    | \W*(?:accept|reject)\s+(?:all\s+)?cookies\W*
    | \W*view\s+this\s+post\s+on\s+\w+\W* | \W*a\s+(?:post|photo|video|reel)\s+shared\s+by\s.{{0,120}}@\w.{{0,60}}
    | (?:\W*notice:)?\W*(?:this\s+\w+\s+requires\s+javascript|javascript\s+is\s+(?:required|disabled)\b.{{0,60}}|(?:please\s+)?(?:enable|turn\s+on)\s+javascript\b.{{0,80}})\W*
    | \W*like\s+(?:this:|loading\W{{1,4}})\W*
    | \W*page\s+\d+(?:\s+of\s+\d+)?\W* | \W*list\s+(?:of\s+\d+\s+items|\d+\s+of\s+\d+)\W* | \W*end\s+of\s+list\W*
    | \W*(?:end\s+of\s+|after\s+)?(?:newsletter|article|email)\s+promo(?:tion)?\W*
    | \W*\d+\s+min(?:ute)?s?\s+read\W*
    | \W*(?:reading\s+time|lesezeit|temps\s+de\s+lecture|tiempo\s+de\s+lectura|tempo\s+(?:de\s+leitura|di\s+lettura)|leestijd|lästid|lukuaika|czas\s+czytania|время\s+чтения|okuma\s+süresi)\W*\d.{{0,20}}
    | \W*\d+\s*(?:min(?:ut[aeiou]?[nsr]?)?\.?)\s*(?:lesezeit|de\s+lectur[ea]|de\s+leitura|di\s+lettura|leestijd|lästid|okuma)\W*
    | \W*(?:(?:\d+|an?)\s+(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?)\s+ago|just\s+now)\W*
    | \W*(?:today|yesterday|heute|gestern|aujourd.hui|hier|hoy|ayer|hoje|ontem|oggi|ieri|vandaag|gisteren|idag|igår|tänään|eilen|dziś|wczoraj|сегодня|вчера|bugün|dün)\W+(?:(?:at|um|à|a\s+las|às|alle|om|kl\.?|klo|o|в)\s+)?\d{{1,2}}[:.h]\d\d.{{0,8}}
    | \W*(?:this|the)\s+(?:article|story|post)\s+(?:was\s+)?(?:originally|first)\s+(?:appeared|published)\s+(?:on|in|by|at)\b.{{0,120}}
    | \W*this\s+(?:story|article|report)\s+(?:has|was)\s+(?:not\s+)?(?:been\s+)?(?:edited|published\s+from|generated|produced)\b.{{0,200}}
    | \W*(?:ler|ver|lire|lesen\s+sie|leggi|lees|läs|read|see)\s+(?:all\s+|alle\s+|todos\s+(?:os|los)\s+|tous\s+les\s+|les\s+)?[\d.,]*\s*(?:comments?|kommentare|commentaires|comentarios|comentários|commenti|reacties|kommentarer)\W*
    | .{{0,60}}\btop\s+headlines\s+are\s+here\b.{{0,100}}
    | (?:home|home\s?page|startseite|accueil|inicio|início|início|portada|главная|anasayfa|strona\s+główna|start|etusivu|首页|ホーム|الرئيسية)\s*[>/»›|→]\s*.{{1,120}}
    | \W*(?:tags?|topics?|filed\s+under|posted\s+in|categor(?:y|ies)|keywords|in\s+this\s+story|schlag(?:wörter|worte)|themen|étiquettes|mots[- ]clés|thèmes|etiquetas|temas|etichette|argomenti|теги|tagi|etiketler|ämnen|aiheet|标签|關鍵字|关键词|キーワード|タグ|الوسوم|תגיות)\s*[:：]\s*[^.!?]{{1,200}}
    | \W*(?:read|get|catch|follow)\s+all\s+the\s+latest\b.{{0,240}}
    | .{{0,120}}\blet\s+us\s+know\s+in\s+the\s+comments\b.{{0,60}}
    | \W*by\s+(?:signing\s+up|subscribing|clicking|providing\s+your)\b.{{0,80}}\byou\s+(?:agree|accept|consent|acknowledge)\b.{{0,200}} | \W*you\s+can\s+unsubscribe\s+(?:at\s+)?any\s*time\W*
    | \W*thank(?:s|\s+you)\s+for\s+(?:reading|subscribing)(?:\s+(?:this\s+(?:article|post|story)|our\s+\w+))?\W*
    | \W*this\s+(?:site|form)\s+is\s+protected\s+by\s+recaptcha\b.{{0,160}} | \W*(?:sponsored\s+by|paid\s+(?:content|post|partnership)|in\s+partnership\s+with)\b.{{0,60}}
    | \W*our\s+standards:.{{0,100}}
    | \W*(?:il\s+vous\s+reste\s+[\d.,]+\s*%.{{0,120}}|dals(?:za\s+część|zy\s+ciąg)\s+(?:artykułu|tekstu|materiału)\s+pod\b.{{0,60}}|dziękujemy,\s+że\s+przeczyta.{{0,80}}|kennen\s+sie\s+schon\s+unser.{{0,100}})
    | \W*(?:clique\s+aqui|haz\s+clic|cliquez\s+ici|klicken\s+sie\s+hier|hier\s+klicken|klik\s+hier|clicca\s+qui)\b.{{0,120}}
    | \W*нашли\s+(?:опечатку|ошибку).{{0,80}} | \W*подписывайтесь\s+на\b.{{0,80}} | \W*читать\s+в\s+\w+\W*
    | \W*責任編集.{{0,20}} | \W*(?:編輯|编辑|校对|審稿)\s*[:：].{{1,12}} | .{{0,4}}责任编辑.{{0,30}} | \W*版权声明.{{0,80}} | .{{0,60}}未经授权.{{0,20}}转载.{{0,20}} | \W*(?:分享到|字号|扫一扫).{{0,30}}
    | .{{0,30}}この記事は(?:有料|会員).{{0,40}} | .{{0,40}}無断(?:転載|複製).{{0,30}} | \W*残り\s*[0-9０-９]+\s*文字\W*)
    """,
    re.IGNORECASE | re.VERBOSE,
)

_LABELS_BY_LANGUAGE = {
    "en": "share page|about sharing|story continues|in this article:|transcript|leave your feedback|listen to this segment|watch the full episode|view comments|your privacy choices|advertisement|advertising|sponsored|sponsored content|ad|share|share this|save|like|reply|previous|next|subscribe|subscribe now|sign up|log in|live|live reporting|poll|"
    "supported by|back to top|top of page|next article|previous article|view comments|hide caption|toggle caption|enlarge image|enlarge this image|"
    "listen to this story|listen to this article|listen|copy this link|copy link|link copied|reuse this content|explore more on these topics|key events|"
    "sort by: newest|sort by newest|newest first|load more comments|load more|show more|recent content|most read|most viewed|get the app|editors' picks|editor's picks|up next|"
    "free weekly newsletter|free newsletter|enter your email|enter your email address|your email address|privacy policy|terms of service|accept cookies|accept all|cookie policy|"
    "follow|following|report this comment|download our app|download the app|click to copy|open in new tab|related|related posts|what to read next|story tags|tags|topics|filed under|promoted stories",
    "de": "kopiert|verwandte themen|top-themen|zur merkliste hinzufügen|anzeige|werbung|kommentare|drucken|teilen|merken|artikel teilen|artikel merken|newsletter|jetzt kostenlos anmelden|jetzt anmelden|kostenlos anmelden|auch interessant|"
    "das könnte sie auch interessieren|mehr zum thema|zum thema|themen|schlagwörter|startseite|vorlesen|artikel anhören|anhören|weiterlesen|kommentar schreiben|kommentieren|"
    "feedback|quelle|lesen sie auch|meistgelesen|zur startseite|link kopieren|folgen|abonnieren|jetzt abonnieren|nur für abonnenten|empfohlener externer inhalt|inhalt anzeigen|zur person",
    "fr": "passer la publicité|la rédaction vous conseille|sujets|écouter cet article|publicité|partager|commenter|réagir|imprimer|envoyer par e-mail|envoyer par email|copier le lien|article réservé aux abonnés|réservé aux abonnés|abonnez-vous|je m'abonne|s'abonner|"
    "se connecter|lecture restreinte|offrir l'article|offrir|écouter l'article|écouter|ma une|l'info en continu|vos commentaires|commentaires|vos réactions|réactions|les plus lus|sur le même sujet|"
    "vous souhaitez réagir à cet article|à lire aussi|lire aussi|lire plus tard|ajouter à vos favoris|suivre|newsletter|inscrivez-vous|s'inscrire|la suite après la publicité|dans la même rubrique|thèmes|lire la suite",
    "es": "para saber más|hazte socio|publicidad|compartir|copiar enlace|comentarios|comentar|imprimir|suscríbete|suscríbete para seguir leyendo|inicia sesión|archivado en|más información|lo más visto|lo más leído|te puede interesar|"
    "te recomendamos|noticias relacionadas|temas|temas relacionados|etiquetas|escuchar|guardar|normas|boletín|ver comentarios|seguir leyendo|síguenos|síguenos en|regístrate|enviar por correo",
    "pt": "partilhar artigo|ouça este artigo|exclusivo|continuar a ler|comentar|publicidade|continua após a publicidade|compartilhar|compartilhe|partilhar|copiar link|comentários|imprimir|assine|leia também|leia mais|veja também|mais lidas|saiba mais|tópicos|ouvir|receba nossa newsletter|continue lendo|siga-nos|últimas notícias|notícias relacionadas",
    "it": "pubblicità|condividi|commenta|commenti|stampa|ascolta articolo|ascolta l'articolo|ascolta|leggi anche|leggi i commenti|abbonati|iscriviti|articoli correlati|i più letti|potrebbe interessarti|argomenti|riproduzione riservata|copia link|segui|regala|leggi tutto|continua a leggere",
    "nl": "advertentie|delen|deel dit artikel|deel|luister naar dit artikel|luister|bewaar|bewaar artikel|lees ook|lees meer|lees verder|reacties|reageer|meest gelezen|abonneer|word abonnee|gerelateerd|foutje gezien? mail ons|kopieer link|onderwerpen|nieuwsbrief",
    "sv": "artikeln fortsätter under annonsen|artikeln fortsätter efter annonsen|annons|annonsera|dela|dela artikeln|kopiera länk|läs mer|läs också|läs även|kommentera|kommentarer|mest lästa|prenumerera|bli prenumerant|logga in|följ|lyssna|lyssna på artikeln|spara|ämnen|mer om ämnet|skriv ut",
    "da": "artiklen fortsætter under annoncen|artiklen fortsætter efter annoncen|annonce|del|del artiklen|læs også|læs mere|mest læste|kommentarer|abonnér|log ind|gem|lyt til artiklen",
    "no": "saken fortsetter under annonsen|artikkelen fortsetter under annonsen|annonse|del|del artikkelen|les også|les mer|mest lest|kommentarer|abonner|logg inn|lytt til saken",
    "fi": "mainos|jaa|jaa artikkeli|kopioi linkki|lue myös|lue lisää|kommentit|kommentoi|luetuimmat|tilaa|tilaa uutiskirje|kirjaudu|kuuntele|tallenna|aiheet|aiheesta lisää",
    "pl": "dalszy ciąg materiału pod wideo|posłuchaj artykułu|reklama|udostępnij|skopiuj link|kopiuj link|komentarze|skomentuj|drukuj|czytaj także|czytaj też|zobacz także|zobacz też|najczęściej czytane|polecane|subskrybuj|zaloguj|zaloguj się|posłuchaj|zapisz się|tagi|tematy|obserwuj|czytaj dalej",
    "cs": "článek pokračuje pod reklamou|diskuze|komentáře|reklama|inzerce|sdílet|diskuse|čtěte také|mohlo by vás zajímat|nejčtenější|předplatit|přihlásit",
    "ru": "реклама|поделиться|читайте также|комментарии|комментировать|подписаться|подпишитесь|распечатать|версия для печати|самое читаемое|материалы по теме|по теме|теги|войти|новости партнёров|новости партнеров|скопировать ссылку|оставить комментарий|лента новостей|главное за день|на главную",
    "uk": "реклама|поділитися|читайте також|коментарі|підписатися",
    "tr": "reklam|paylaş|yorumlar|yorum yap|yorum yaz|abone ol|takip et|google news|google news'te takip et|ilgili haber|ilgili haberler|haberin devamı|çok okunanlar|benzer haberler|etiketler|yazdır|kaydet|dinle|sonraki haber|önceki haber|bültenimize abone olun|linki kopyala",
    "ar": "إعلان|اعلان|شارك|مشاركة|شارك هذا الخبر|شارك المقال|شارك الخبر|تابعنا|تابعنا على تويتر|تابعنا على فيسبوك|اقرأ أيضا|اقرأ المزيد|مواضيع ذات صلة|موضوعات ذات صلة|أخبار ذات صلة|الأكثر قراءة|التعليقات|اشترك|طباعة|الوسوم|نسخ الرابط|حفظ|استمع",
    "he": "פרסומת|שיתוף|שתפו|תגובות|הוספת תגובה|קראו עוד|קראו גם|כתבות נוספות|עוד בנושא|הדפסה|תגיות|הירשמו|הנקראות ביותר|כתבות קשורות|מודעה",
    "ja": "広告|シェア|シェアする|ツイート|ツイートする|ポスト|ポストする|印刷|保存|関連記事|関連ニュース|関連リンク|あわせて読みたい|こちらもおすすめ|おすすめ記事|続きを読む|この記事をシェア|アクセスランキング|ランキング|コメント|コメントを書く|メールで送る|リンクをコピー|会員限定|有料会員限定|スキ|いいね",
    "zh": "广告|廣告|分享|分享到|评论|評論|打印|相关阅读|相關閱讀|相关新闻|相關新聞|延伸阅读|延伸閱讀|热点推荐|猜你喜欢|字号|收藏|举报|网友评论|点击进入专题|返回首页|更多新闻|阅读原文|扫一扫|精彩推荐|热门推荐",
    "ko": "글자크기 변경|글자크기|기사 스크랩|공감|추천|인기기사|광고|공유|공유하기|댓글|관련기사|관련 기사|구독|구독하기|인쇄|무단전재 및 재배포 금지|많이 본 뉴스|좋아요",
    "hu": "megosztás|hirdetés|hozzászólások|kapcsolódó cikkek|iratkozzon fel|nyomtatás|hallgassa meg",
    "ro": "distribuie|publicitate|comentarii|abonează-te|abonează-te la newsletter|articole similare|cele mai citite|citește mai departe",
    "vi": "chia sẻ|quảng cáo|bình luận|xem nhiều|tin liên quan|lưu bài viết|theo dõi",
    "id": "bagikan|iklan|komentar|lihat foto|baca selengkapnya|terpopuler|artikel terkait|simpan",
    "hr": "podijeli|oglas|komentari|pročitajte još|najčitanije|povezane vijesti",
    "bg": "реклама|сподели|коментари|още по темата|най-четени",
    "hi": "विज्ञापन|ये भी पढ़ें|यह भी पढ़ें|शेयर करें|टिप्पणियां",
    "el": "διαβάστε ακόμα|δείτε επίσης|μετάβαση στο περιεχόμενο|διαφήμιση|κοινοποίηση|διαβάστε επίσης|σχόλια|σχετικά άρθρα",
}


def _bare(line: str) -> str:
    """A line as it is compared with labels: without case, marks around it and blanks in a row."""
    text = line.casefold().replace("\u0307", "").replace("ı", "i").replace("’", "'")
    return re.sub(r"\s+", " ", re.sub(r"^[\W_]+|[\W_]+$", "", text))


def _is_label(line: str) -> bool:
    text = _bare(line)
    return text in _LABELS or (text[-1:].isdigit() and re.sub(r"\W*[\d.,]+$", "", text) in _LABELS)


_LABELS = frozenset(_bare(label) for labels in _LABELS_BY_LANGUAGE.values() for label in labels.split("|"))

# What stands before the headline of another story in the middle of one.
_POINTER = re.compile(
    r"\W*(?:mehr(?=\s*:)|read\s+(?:more|also|next)|also\s+read|see\s+also|lesen\s+sie\s+(?:auch|mehr|hier)|lies\s+auch|mehr\s+(?:dazu|zum\s+thema)|auch\s+interessant"
    r"|(?:à\s+)?(?:lire|voir)\s+aussi|à\s+lire(?:\s+également)?|lea\s+(?:también|además|más)|lee\s+también|(?:te|le)\s+puede\s+interesar|ver\s+también|más\s+información"
    r"|leia\s+(?:também|mais)|ver\s+também|veja\s+também|saiba\s+mais|leggi\s+anche|lees\s+(?:ook|meer)|läs\s+(?:också|även|mer)|les\s+også|læs\s+også|lue\s+myös"
    r"|czytaj\s+(?:też|także|również)|zobacz\s+(?:też|także|również)|čtěte\s+také|читайте\s+(?:также|ещё|еще)|читать\s+также|читайте\s+також|olvass(?:a|ák)?\s+el\s+ezt\s+is|ez\s+is\s+érdekel(?:heti|het)|kapcsolódó|cite[șş]te\s+[șş]i|citi[țţ]i\s+[șş]i|vezi\s+[șş]i|xem\s+thêm|đọc\s+thêm|baca\s+juga|pročitajte\s+(?:još|i)|čítajte\s+aj|prečítajte\s+si|прочетете\s+(?:още|и)|вижте\s+(?:още|и)|preberite\s+tudi|loe\s+ka|lasi\s+arī|skaitykite\s+taip\s+pat|llegiu\s+també|przeczytaj\s+(?:też|także|również)|auch\s+spannend|بیشتر\s+بخوانید|مزید\s+پڑھیں|আরও\s+পড়ুন|相關新聞|相關文章|相关文章|ayrıca\s+okuyun|bunu\s+da\s+okuyun|(?:i̇|i|İ)lgi̇?li̇?\s+haber(?:ler)?"
    r"|اقرأ\s+أيضا?[ًّ]?ا?|קראו\s+(?:עוד|גם)|関連記事|あわせて読みたい|相关阅读|相關閱讀|延伸阅读|延伸閱讀|관련\s?기사|διαβάστε\s+(?:επίσης|ακόμα)|(?:ये|यह)\s+भी\s+पढ़ें)(?!\w)|[【［\[](?:関連|相关|あわせて)\w{0,8}[】］\]]",
    re.IGNORECASE,
)
# Labels above a list of other stories or of the story's topics.
_LIST_LABELS = frozenset(
    _bare(label)
    for label in (
        "related|related articles|related stories|related topics|related content|more on this story|most read|most viewed|recommended stories|recommended|explore more on these topics|tags|topics|filed under|trending|"
        "verwandte themen|top-themen|related topics|more to read|sujets|la rédaction vous conseille|para saber más|mehr zum thema|auch interessant|das könnte sie auch interessieren|schlagwörter|themen|meistgelesen|à lire aussi|sur le même sujet|les plus lus|thèmes|archivado en|más información|lo más visto|noticias relacionadas|etiquetas|"
        "leia também|veja também|mais lidas|leggi anche|articoli correlati|lees ook|läs också|läs mer|mest lästa|lue myös|luetuimmat|czytaj także|zobacz też|najczęściej czytane|читайте также|материалы по теме|самое читаемое|теги|"
        "ilgili haber|ilgili haberler|çok okunanlar|etiketler|اقرأ أيضا|مواضيع ذات صلة|الوسوم|כתבות נוספות|תגיות|関連記事|あわせて読みたい|相关阅读|相关新闻|延伸阅读"
    ).split("|")
)


def is_furniture(line: str) -> bool:
    """Whether a line, as a whole, is a known piece of a page's furniture ("Scroll down for video", "Teilen")."""
    if len(line) > LONGEST_FURNITURE:
        return False
    return (len(line) <= _LONGEST_LABEL and _is_label(line)) or _FURNITURE.fullmatch(line) is not None


def leads_elsewhere(line: str) -> bool:
    """Whether a line begins as a pointer to another story does ("Lesen Sie auch …"), and is no longer than one."""
    return len(line) <= _LONGEST_POINTER and _POINTER.match(line) is not None


def is_pointer(line: str) -> bool:
    """Whether a line is a pointer to another story: the label alone, or the label, a colon and a headline."""
    label = _POINTER.match(line) if len(line) <= _LONGEST_POINTER else None
    if label is None:
        return False
    rest = line[label.end() :]
    # "À lire aussi Baguette : le prix va-t-il encore monter ?"
    headline = rest[:1].isspace() and rest.lstrip()[:1].isupper() and len(rest.split()) >= 4 and not rest.endswith(".")
    if headline and " " in label[0].strip():
        return True
    # What is in brackets needs no colon after it.
    return label[0].endswith(("】", "］", "]")) or re.fullmatch(r"\W*|\s*[:：>»›…→|].*", rest) is not None


def heads_a_list(line: str) -> bool:
    """Whether a line is nothing but the label of a list of other stories or of topics ("Leggi anche", "Archivado en")."""
    if len(line) > _LONGEST_LABEL:
        return False
    text = _bare(line)
    return text in _LIST_LABELS or re.fullmatch(r"list (?:of \d+ items|\d+ of \d+)", text) is not None


def is_role(line: str) -> bool:
    """Whether a line is what an author is ("Science correspondent"), as it stands below the name."""
    return (
        re.fullmatch(
            r"(?:[\w&’'-]+\s){1,4}(?:reporter|correspondent|columnist|editor|staff writer)s?", line, re.IGNORECASE
        )
        is not None
    )


def is_note_on(author: str, line: str) -> bool:
    """Whether a line tells who an author is: "Jane Doe is a staff writer …", "About Jane Doe"."""
    name = author.partition(",")[0]
    text = re.sub(r"^(?:about|meet|by|written by)\s+", "", line, flags=re.IGNORECASE)
    if " " not in name or not text.startswith(name):
        return False
    return (
        re.match(
            r"\W*$|,? (?:is|was|has|holds|writes|started|covers|joined|founded|loves|lives|brings|serves|works)\b",
            text[len(name) :],
        )
        is not None
    )
