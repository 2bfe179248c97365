#include "relay/log_pages.h"

#include <stdio.h>
#include <string.h>

#include "relay/connection.h"
#include "relay/data.h"
#include "tlog/folder.h"

sotto_error log_page(const struct relay *relay, sotto_bytes path, sotto_buf *out)
{
    char folder[PATH_MAX], name[TLOG_TILE_PATH_MAX];
    struct tlog_tile tile;
    const bool known = sotto_bytes_equal(path, sotto_bytes_str("checkpoint")) ||
                       sotto_bytes_equal(path, sotto_bytes_str("key")) ||
                       tlog_tile_parse(path, &tile) == SOTTO_OK;
    if (!known || path.size >= sizeof name || !data_path(relay->config, DATA_LOG, folder))
        return SOTTO_NOT_FOUND;
    memcpy(name, path.data, path.size);
    name[path.size] = '\0';
    return tlog_folder_get(folder, name, WIRE_LOG_FILE_MAX, out);
}

bool log_page_http(void *ctx, sotto_bytes path, sotto_buf *body, const char **type)
{
    static const char prefix[] = "/orders/";
    const struct connection *connection = ctx;
    if (path.size < sizeof prefix || memcmp(path.data, prefix, sizeof prefix - 1) != 0)
        return false;
    path = sotto_bytes_of(path.data + sizeof prefix - 1, path.size - sizeof prefix + 1);
    const bool is_text = path.data[0] != 't';
    *type = is_text ? "text/plain; charset=utf-8" : "application/octet-stream";
    return log_page(connection->loop->relay, path, body) == SOTTO_OK;
}

void request_log_get(struct connection *connection, const struct message *message)
{
    const struct relay *relay = connection->loop->relay;
    struct message answer = {.type = MESSAGE_LOG_GET_OK, .request = message->request};
    sotto_buf file;
    sotto_buf_init(&file, relay->env);
    const sotto_error error = log_page(relay, message->log_path, &file);
    answer.log_file = sotto_buf_view(&file);
    if (error == SOTTO_OK)
        connection_send(connection, &answer);
    else if (error == SOTTO_NOT_FOUND)
        connection_refuse(connection, message->request, WIRE_CODE_NO_LOG, 0);
    else
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
    sotto_buf_free(&file);
}
