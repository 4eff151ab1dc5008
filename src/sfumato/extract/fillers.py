"""Greetings, chat openers and request verbs, in ten languages: they say that somebody asks, not what about."""

from __future__ import annotations

import re
import unicodedata

_SAID = {
    "en": (
        "actually advice assistant aware awesome basically best check cool curious dear easiest easy explain "
        "figure find forgot gimme give going gonna gotta guys happen happening heard hello help hey hi idea "
        "ideas kinda know let let's lol look looking lot make maybe need nice please pls possible really "
        "remember say show somebody sorry stuck stuff super sure talk tell thank thanks thing things tips "
        "told trying understand use using wanna want way wondering yeah yep yo yup"
    ),
    "es": (
        "ayuda ayudar ayudarme ayudas ayúdame buenas decirme dime empezar empiezo encantaría explica explicar "
        "explicarme explicas explícame fácil favor forma gracias gustaría hola intentando intento manera "
        "mejor muestra muéstrame necesitamos necesito pregunta puede puedes podría podrías quería quiero "
        "quisiera saber"
    ),
    "fr": (
        "aide aider aidez aimerais besoin bonjour commence commencer dire dis essaie "
        "essaye explique expliquer expliquez facile facilement façon manière meilleur meilleure merci montre "
        "montrer montrez peux pourrais pourriez pouvez question salut savoir svp veux voudrais voulais"
    ),
    "de": (
        "anfange anfangen beste besten bitte brauche brauchst danke einfach einfache erklär erkläre erklären "
        "fange frage gern gerne hallo helfen hilf hilfe kann kannst könnte könntest möchte muss sag sagen "
        "soll sollte trick versuche versuchen will wissen würde zeig zeige zeigen"
    ),
    "pt": (
        "ajuda ajudar ajude começar começo consegue conseguir diga dizer explica explicar explique "
        "favor fácil forma gostaria jeito maneira melhor mostra mostrar mostre obrigada obrigado oi olá "
        "pergunta pode poderia preciso queria quero saber tentando tento"
    ),
    "ru": (
        "вопрос здравствуйте знать легко лучше можете можешь можно надо начать нужно объясни объясните "
        "подскажи подскажите покажи покажите пожалуйста помоги помогите помощь привет проще пробую пытаюсь "
        "скажи скажите спасибо способ хотел хотела хотелось хочу"
    ),
    "hi": (
        "आसान करनी करने कोशिश कृपया चाहता चाहती चाहते चाहिए जानना तरीका दिखाइए दिखाओ धन्यवाद नमस्ते बताइए "
        "बताएं बताओ मदद शुरू समझाइए समझाओ"
    ),
    "ar": (
        "أبدأ أحاول أحتاج أخبرني أريد أفضل أود اشرح تساعدني ساعدني سهلة سهل شكرا شكراً طريقة كيف لطفا مرحبا "
        "مساعدة يمكنك يمكنني"
    ),
    "zh": (
        "一步 你好 解释 请问 请帮 谢谢 帮我 帮忙 需要 想要 我想 怎么 怎样 如何 什么 可以 能否 告诉 方法 最好 "
        "简单 开始 应该 知道 教我 步骤"
    ),
    "ja": ("一番 教え 方法 手伝 説明 質問 助け 始め 簡単 最適 知り 必要 困っ 願い"),
}
FILLERS = {language: frozenset(words.split()) for language, words in _SAID.items()}
"""Words by ISO 639-1 code; of scripts without spaces, pairs of signs."""

_GREETINGS = (
    "good morning", "good afternoon", "good evening", "good night", "good day", "buenos días", "buenos dias",
    "buenas tardes", "buenas noches", "guten morgen", "guten tag", "guten abend", "bonne journée", "bonne soirée",
    "bom dia", "boa tarde", "boa noite", "доброе утро", "добрый день", "добрый вечер", "доброго времени суток",
    "صباح الخير", "مساء الخير", "السلام عليكم", "शुभ प्रभात", "शुभ संध्या",
)  # fmt: skip
_WORDED = unicodedata.normalize("NFKC", "|".join(_GREETINGS))
GREETING = re.compile(rf"[\W_]*(?:(?:{_WORDED})(?!\w)|早上好|上午好|下午好|晚上好|大家好)")
"""A greeting of several words, whose words alone could be subjects, where a folded text begins with it."""
