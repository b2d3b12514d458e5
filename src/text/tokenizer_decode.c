/* Ids -> text: one token's bytes, a whole list, a stream that never cuts a character. */
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"
#include "text/tokenizer_internal.h"

#define REPLACEMENT "\xef\xbf\xbd"

text_view text_token_piece(const text_tokenizer *tok, int32_t id, unsigned flags) {
    text_view nothing = {"", 0};
    if (id < 0 || (size_t)id >= tok->n_tokens) return nothing;
    unsigned types = tok->flags[id];
    if (types & TOKEN_HIDDEN && !(flags & TEXT_SHOW_CONTROL)) return nothing;
    if (tok->hf) return pool_at(&tok->pieces, (size_t)id);
    return pool_at(types & TOKEN_SPECIAL ? &tok->texts : &tok->pieces, (size_t)id);
}

/* Kinds that put a space of their own before a text. */
static bool decode_drops_space(const text_tokenizer *tok) {
    if (tok->hf) return true; /* its decoders may make another text of the first token */
    if (tok->kind == TEXT_KIND_WORDPIECE) return true;
    return (tok->kind == TEXT_KIND_SPM || tok->kind == TEXT_KIND_UNIGRAM) &&
           tok->add_space_prefix && !tok->whitespace_as_suffix;
}

static ondol_status decode_check(const text_tokenizer *tok, int32_t id, ondol_error *err) {
    if (id >= 0 && (size_t)id < tok->n_tokens) return ONDOL_OK;
    return base_fail(err, ONDOL_E_ARGUMENT, "detokenize: id %ld, but there are %zu tokens",
                     (long)id, tok->n_tokens);
}

/* The piece of the next id, less the leading space when *drop_space, which ends at the first token
 * that is text. */
static ondol_status decode_next(const text_tokenizer *tok, int32_t id, unsigned flags,
                                bool *drop_space, text_view *piece, ondol_error *err) {
    const ondol_status status = decode_check(tok, id, err);
    if (status != ONDOL_OK) return status;
    *piece = text_token_piece(tok, id, flags);
    if (!*drop_space || tok->flags[id] & TOKEN_HIDDEN || piece->size == 0) return ONDOL_OK;
    *drop_space = false;
    if (piece->data[0] == ' ' && !(tok->flags[id] & TOKEN_USER)) {
        piece->data++;
        piece->size--;
    }
    return ONDOL_OK;
}

ondol_status text_detokenize(const text_tokenizer *tok, const int32_t *ids, size_t count,
                             unsigned flags, base_buffer *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    bool drop_space = decode_drops_space(tok) && !(flags & TEXT_CONTINUE);
    if (!ids && count > 0) return base_fail(err, ONDOL_E_ARGUMENT, "detokenize: ids is NULL");
    for (size_t i = 0; tok->hf && i < count; i++)
        TRY(decode_check(tok, ids[i], err));
    if (tok->hf) return hf_decode(tok, ids, count, flags, drop_space, true, out, err);
    for (size_t i = 0; i < count; i++) {
        text_view piece = {"", 0};
        TRY(decode_next(tok, ids[i], flags, &drop_space, &piece, err));
        if (!base_buffer_append(out, piece.data, piece.size)) break;
    }
    TRY(base_buffer_status(out, "text of tokens", err));
done:
    return status;
}

void text_stream_init(text_stream *stream, const text_tokenizer *tok, unsigned flags) {
    *stream = (text_stream){.tok = tok, .flags = flags};
    stream->drop_space = decode_drops_space(tok) && !(flags & TEXT_CONTINUE);
}

/* Appends one byte to what is pending; whole characters go to out. */
static void stream_byte(text_stream *stream, unsigned char byte, base_buffer *out) {
    stream->pending[stream->pending_bytes++] = byte;
    while (stream->pending_bytes > 0) {
        uint32_t code = 0;
        size_t n = stream->pending_bytes;
        size_t used = base_utf8_decode(stream->pending, n, &code);
        if (used == 0 && base_utf8_incomplete_tail(stream->pending, n) == n) return;
        if (used > 0) {
            base_buffer_append(out, stream->pending, used);
        } else { /* all but the last byte began a character that did not come */
            base_buffer_append(out, REPLACEMENT, 3);
            used = n > 1 ? n - 1 : 1;
        }
        memmove(stream->pending, stream->pending + used, n - used);
        stream->pending_bytes = n - used;
    }
}

/* The first token of a pipeline's text that is shown. */
static ondol_status stream_first(text_stream *stream, int32_t id, base_buffer *out,
                                 ondol_error *err) {
    const text_tokenizer *tok = stream->tok;
    base_buffer text;
    base_buffer_init(&text, tok->allocator, SIZE_MAX / 4);
    ondol_status status = decode_check(tok, id, err);
    if (status == ONDOL_OK) status = hf_decode(tok, &id, 1, stream->flags, true, false, &text, err);
    for (size_t i = 0; status == ONDOL_OK && i < text.size; i++)
        stream_byte(stream, (unsigned char)text.data[i], out);
    if (status == ONDOL_OK) {
        const bool shown = stream->flags & TEXT_SHOW_CONTROL || !(tok->flags[id] & TOKEN_HIDDEN);
        stream->drop_space = !shown;
        status = base_buffer_status(out, "text of tokens", err);
    }
    base_buffer_destroy(&text);
    return status;
}

ondol_status text_stream_push(text_stream *stream, int32_t id, base_buffer *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    text_view piece = {"", 0};
    if (stream->tok->hf && stream->drop_space) return stream_first(stream, id, out, err);
    TRY(decode_next(stream->tok, id, stream->flags, &stream->drop_space, &piece, err));
    for (size_t i = 0; i < piece.size; i++)
        stream_byte(stream, (unsigned char)piece.data[i], out);
    TRY(base_buffer_status(out, "text of tokens", err));
done:
    return status;
}

ondol_status text_stream_finish(text_stream *stream, base_buffer *out, ondol_error *err) {
    if (stream->pending_bytes > 0) base_buffer_append(out, REPLACEMENT, 3);
    text_stream_init(stream, stream->tok, stream->flags);
    return base_buffer_status(out, "text of tokens", err);
}
