"""GreedySearch, Sampling, BeamSearch with small decoders whose scores hang on all that they are given."""
from onnx import helper, numpy_helper

from .case import *

VOCABULARY, HEADS, SIZE = 13, 2, 4
WIDTH = HEADS * SIZE
INT, FLOAT = TensorProto.INT32, TensorProto.FLOAT


def weights(**arrays):
    return [numpy_helper.from_array(v, k) for k, v in arrays.items()]


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def value(name, kind, *dims):
    return helper.make_tensor_value_info(name, kind, dims)


def tables(sharp=2.0):
    return dict(words=numbers(VOCABULARY, WIDTH), places=numbers(32, WIDTH) * F32(0.5), out=numbers(WIDTH, VOCABULARY) * F32(sharp))


def gpt(t):
    """What was said, on average, and the last word and its place."""
    nodes = [node("Gather", "words input_ids", "word"), node("Gather", "places position_ids", "place"), node("Add", "word place", "hidden"),
             node("Reshape", "hidden heads", "split"), node("Transpose", "split", "turned", perm=[0, 2, 1, 3]),
             node("Unsqueeze", "turned zero", "one"), node("Concat", "one one", "pair", axis=0), node("Concat", "past_0 pair", "present_0", axis=3),
             node("Gather", "present_0 first", "values", axis=0), node("Cast", "attention_mask", "weight", to=FLOAT),
             node("Unsqueeze", "weight ends", "wide"), node("Mul", "values wide", "weighed"), node("ReduceMean", "weighed two", "mean", keepdims=0),
             node("Reshape", "mean flat", "summary"), node("Add", "hidden summary", "all"), node("MatMul", "all out", "logits")]
    constants = weights(heads=np.array([0, 0, HEADS, SIZE], I64), zero=np.array([0], I64), first=np.array(1, I64), ends=np.array([1, 3], I64),
                        two=np.array([2], I64), flat=np.array([0, 1, WIDTH], I64), **t)
    nodes[13] = node("Reshape", "mean flat", "summary")
    constants[5] = numpy_helper.from_array(np.array([-1, 1, WIDTH], I64), "flat")
    return helper.make_graph(nodes, "decoder", [value("input_ids", INT, "b", "s"), value("position_ids", INT, "b", "s"), value("attention_mask", INT, "b", "t"),
                                                value("past_0", FLOAT, 2, "b", HEADS, "p", SIZE)],
                             [value("logits", FLOAT, "b", "s", VOCABULARY), value("present_0", FLOAT, 2, "b", HEADS, "t", SIZE)], constants)


def t5(t):
    """An encoder that starts the decoder, and a decoder with states of its own and of the encoder."""
    shared = weights(heads=np.array([0, 0, HEADS, SIZE], I64), two=np.array([2], I64), flat=np.array([-1, 1, WIDTH], I64), ends=np.array([1, 3], I64), **t)

    def split(x, y):
        return [node("Reshape", f"{x} heads", f"{y}_split"), node("Transpose", f"{y}_split", y, perm=[0, 2, 1, 3])]

    def score(keys, cross, mask, hidden):
        return [node("ReduceMean", f"{keys} two", "own", keepdims=0), node("Reshape", "own flat", "own_row"), node("Cast", mask, "weight", to=FLOAT),
                node("Unsqueeze", "weight ends", "wide"), node("Mul", f"{cross} wide", "weighed"), node("ReduceMean", "weighed two", "far", keepdims=0),
                node("Reshape", "far flat", "far_row"), node("Add", f"{hidden} own_row", "a"), node("Add", "a far_row", "b"), node("MatMul", "b out", "logits")]
    cross = [node("Gather", "words encoder_input_ids", "encoder_hidden_states"), *split("encoder_hidden_states", "present_key_cross_0"),
             node("Neg", "present_key_cross_0", "present_value_cross_0")]
    start = [node("Gather", "words decoder_input_ids", "hidden"), *split("hidden", "present_key_self_0"),
             node("Neg", "present_key_self_0", "present_value_self_0")]
    state = [FLOAT, "b", HEADS, "t", SIZE]
    encoder = helper.make_graph(
        [*cross, *start, *score("present_value_self_0", "present_value_cross_0", "encoder_attention_mask", "hidden")], "encoder",
        [value("encoder_input_ids", INT, "b", "s"), value("encoder_attention_mask", INT, "b", "s"), value("decoder_input_ids", INT, "b", 1)],
        [value("logits", FLOAT, "b", 1, VOCABULARY), value("encoder_hidden_states", FLOAT, "b", "s", WIDTH),
         *[value(f"present_{k}_{n}_0", *state) for n in ("self", "cross") for k in ("key", "value")]], shared)
    decoder = helper.make_graph(
        [node("Gather", "words input_ids", "hidden"), *split("hidden", "new"), node("Neg", "new", "new_value"),
         node("Concat", "past_key_self_0 new", "present_key_self_0", axis=2), node("Concat", "past_value_self_0 new_value", "present_value_self_0", axis=2),
         *score("present_value_self_0", "past_value_cross_0", "encoder_attention_mask", "hidden")], "decoder",
        [value("input_ids", INT, "b", 1), value("encoder_attention_mask", INT, "b", "s"), value("encoder_hidden_states", FLOAT, "b", "s", WIDTH),
         *[value(f"past_{k}_{n}_0", *state) for n in ("self", "cross") for k in ("key", "value")]],
        [value("logits", FLOAT, "b", 1, VOCABULARY), *[value(f"present_{k}_self_0", *state) for k in ("key", "value")]], shared)
    return encoder, decoder


def whole(v, dtype=I32):
    return np.array([v], dtype)


def greedy(name, decoder, ids, length, op="GreedySearch", least=0, penalty=1.0, masks=(None, None, None), more=(), **attributes):
    """Padding is never chosen as a word: behind the end of all rows the runtime writes nothing, which becomes padding here."""
    vocabulary = np.ones(VOCABULARY, I32) if masks[0] is None else masks[0]
    vocabulary[0] = 0
    inputs = [ids, whole(length), whole(least), whole(penalty, F32), vocabulary, *masks[1:], *more]
    attributes = {"decoder": decoder, "eos_token_id": 3, "pad_token_id": 0, **attributes}
    while inputs[-1] is None:
        inputs.pop()
    model = make(op, inputs, ["y0"], [INT], (), None, 10, attributes)
    y = by_runtime(model, {f"x{i}": v for i, v in enumerate(inputs) if v is not None})[0].copy()
    for column in range(ids.shape[1], length):
        if not y[:, column].any():
            y[:, column:] = 0
            break
    case(name, op, inputs, types=[INT], expected=[y], **attributes)


def beam(name, graphs, ids, length, beams=3, kept=2, least=0, length_penalty=1.0, penalty=1.0, masks=(None, None, None), outputs=2, **attributes):
    inputs = [ids, whole(length), whole(least), whole(beams), whole(kept), whole(length_penalty, F32), whole(penalty, F32), *masks]
    case(name, "BeamSearch", inputs, outputs, types=[INT, FLOAT, FLOAT][:outputs], **graphs, rtol=1e-4, atol=1e-4,
         **{"eos_token_id": 3, "pad_token_id": 0, **attributes})


def masks_of(batch):
    vocabulary, prefix = np.ones(VOCABULARY, I32), np.ones((batch, VOCABULARY), I32)
    vocabulary[[2, 5]], prefix[:, 7:] = 0, 0
    return vocabulary, prefix


def make_cases():
    decoder = gpt(tables())
    ids, padded = integers(4, VOCABULARY, 2, 4), np.array([[0, 0, 5, 9], [4, 8, 7, 6]], I32)
    for name, tokens in (("plain", ids), ("padded", padded), ("one", ids[:1])):
        batch = len(tokens)
        vocabulary, prefix = masks_of(batch)
        greedy(name, decoder, tokens, 12)
        greedy(f"{name}_late", decoder, tokens, 14, least=11)
        greedy(f"{name}_penalty", decoder, tokens, 12, penalty=1.7)
        greedy(f"{name}_runs", decoder, tokens, 16, no_repeat_ngram_size=2)
        greedy(f"{name}_masks", decoder, tokens, 12, masks=(vocabulary, prefix, None))
        for beams, kept in ((1, 1), (3, 2), (4, 4)):
            for early in (0, 1):
                beam(f"{name}_{beams}_{early}", dict(decoder=decoder), tokens, 11, beams, kept, early_stopping=early)
        # The runtime writes no scores of steps behind the end of all, so none ends early.
        beam(f"{name}_scores", dict(decoder=decoder), tokens, 11, least=10, outputs=3)
        beam(f"{name}_length", dict(decoder=decoder), tokens, 11, length_penalty=0.3, least=8)
        beam(f"{name}_penalty", dict(decoder=decoder), tokens, 11, penalty=1.5, no_repeat_ngram_size=2)
        beam(f"{name}_masks", dict(decoder=decoder), tokens, 11, masks=(vocabulary, prefix, None))
    given = np.array([[0, 1, 1, 1], [1, 1, 1, 1]], I32)
    greedy("given_mask", decoder, ids, 10, masks=(None, None, given))
    beam("given_mask", dict(decoder=decoder), ids, 10, masks=(None, None, given))
    beam("init", dict(decoder=decoder, init_decoder=gpt(tables())), ids, 10)
    encoder, decoder = t5(tables())
    graphs = dict(encoder=encoder, decoder=decoder)
    words = np.array([[5, 6, 7, 8, 9], [0, 0, 4, 11, 12]], I32)
    for beams, kept in ((1, 1), (3, 2)):
        beam(f"encoder_{beams}", graphs, words, 9, beams, kept, model_type=1, decoder_start_token_id=2)
    beam("encoder_scores", graphs, words, 9, least=8, outputs=3, model_type=1, decoder_start_token_id=2)
    beam("encoder_penalty", graphs, words, 9, penalty=1.4, length_penalty=2.0, model_type=1, decoder_start_token_id=2)
    sharp = gpt(tables(40.0))
    for custom in (0, 1):
        greedy(f"sharp_{custom}", sharp, ids, 12, op="Sampling", more=(None, whole(7)), custom=custom, top_p=0.05, temperature=0.8, vocab_size=VOCABULARY,
               min_tokens_to_keep=1)
