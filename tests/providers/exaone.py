"""A tiny EXAONE 4 model with random weights, written as a folder that transformers can load."""

from __future__ import annotations

from pathlib import Path

TEXTS = [
    "The bridge was opened to traffic on 24 October 1931 at a cost of 60 million dollars.",
    "이 다리는 1931년 10월 24일에 개통되었으며 공사비는 6천만 달러였다.",
    "Passages and questions, answers and quotes, numbers 0 1 2 3 4 5 6 7 8 9.",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}[|{{ message['role'] }}|]\n{{ message['content'] }}[|endofturn|]\n{% endfor %}"
    "{% if add_generation_prompt %}[|assistant|]\n{% endif %}"
)


def build(folder: Path, *, seed: int = 7) -> Path:
    """Make the model in `folder`; needs torch and transformers."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Exaone4Config, Exaone4ForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["[PAD]", "[BOS]", "[|endofturn|]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", bos_token="[BOS]", eos_token="[|endofturn|]"
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    config = Exaone4Config(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    Exaone4ForCausalLM(config).save_pretrained(folder)
    return folder


def build_embedder(folder: Path) -> Path:
    """A sentence-transformers model: a tiny BERT with random weights and mean pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    BertModel(BertConfig(**_tiny_bert(folder / "bert"))).save_pretrained(folder / "bert")
    encoder = Transformer(str(folder / "bert"))
    pooling = Pooling(encoder.get_word_embedding_dimension())
    SentenceTransformer(modules=[encoder, pooling]).save(str(folder / "model"))
    return folder / "model"


def build_classifier(folder: Path, labels: list[str], chosen: int) -> Path:
    """A classifier of pairs of texts: a tiny BERT with random weights that finds label number `chosen` every time."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(5)
    config = BertConfig(
        **_tiny_bert(folder),
        max_position_embeddings=256,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias[chosen] = 20.0
    model.save_pretrained(folder)
    return folder


def _tiny_bert(folder: Path) -> dict[str, int]:
    """Write the tokenizer of a BERT of letters; gives the sizes of a model for it."""
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    words = folder / "vocab.txt"
    words.write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(str(words)).save_pretrained(folder)
    return {
        "vocab_size": len(pieces),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
