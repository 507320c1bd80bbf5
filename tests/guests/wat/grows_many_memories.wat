;; `embed` grows the memories of six more core instances in turn, a mebibyte at a time, to 64 MiB
;; each: 384 MiB, of which no single memory has more than 64.
;;
;; Promise: the memories of a sandbox count together. Expected: `limit.memory`, in a sandbox of
;; less than 384 MiB.
(component
  (core module $hoard
    (memory 0)
    (func (export "grow") (result i32) (memory.grow (i32.const 16))))
  (core instance $hoard0 (instantiate $hoard))
  (core instance $hoard1 (instantiate $hoard))
  (core instance $hoard2 (instantiate $hoard))
  (core instance $hoard3 (instantiate $hoard))
  (core instance $hoard4 (instantiate $hoard))
  (core instance $hoard5 (instantiate $hoard))

  (core module $guest
    (import "hoard0" "grow" (func $grow0 (result i32)))
    (import "hoard1" "grow" (func $grow1 (result i32)))
    (import "hoard2" "grow" (func $grow2 (result i32)))
    (import "hoard3" "grow" (func $grow3 (result i32)))
    (import "hoard4" "grow" (func $grow4 (result i32)))
    (import "hoard5" "grow" (func $grow5 (result i32)))
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (func $check (param $was i32)
      (if (i32.eq (local.get $was) (i32.const -1)) (then unreachable)))
    (func (export "embed") (param i32 i32) (result i32)
      (local $round i32)
      (loop $again
        (call $check (call $grow0))
        (call $check (call $grow1))
        (call $check (call $grow2))
        (call $check (call $grow3))
        (call $check (call $grow4))
        (call $check (call $grow5))
        (local.set $round (i32.add (local.get $round) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $round) (i32.const 64))))
      (i32.const 64))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )

  (core instance $guest (instantiate $guest
    (with "hoard0" (instance $hoard0))
    (with "hoard1" (instance $hoard1))
    (with "hoard2" (instance $hoard2))
    (with "hoard3" (instance $hoard3))
    (with "hoard4" (instance $hoard4))
    (with "hoard5" (instance $hoard5))))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))

  ;; The contract: `lifecycle` and `text-embedding`.
  (type $error (record (field "code" string) (field "message" string)))
  (type $property (record (field "key" string) (field "value" string)))
  (type $usage (record (field "input-tokens" u32) (field "output-tokens" u32)))
  (type $model-info (record
    (field "architecture" string) (field "properties" (list $property))))
  (type $embeddings (record
    (field "dimensions" u32) (field "values" (list f32))
    (field "truncated" (list bool)) (field "usage" $usage)))
  (func $init (result (result (error $error)))
    (canon lift (core func $guest "init") (memory $memory)))
  (func $describe (result $model-info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $embed (param "texts" (list string)) (result (result $embeddings (error $error)))
    (canon lift (core func $guest "embed") (memory $memory) (realloc $realloc)))
  (instance $lifecycle
    (export "error" (type $error)) (export "property" (type $property))
    (export "model-info" (type $model-info))
    (export "init" (func $init)) (export "describe" (func $describe)))
  (instance $text-embedding
    (export "error" (type $error)) (export "usage" (type $usage))
    (export "embeddings" (type $embeddings)) (export "embed" (func $embed)))
  (export "ampoule:model/lifecycle@0.1.0" (instance $lifecycle))
  (export "ampoule:model/text-embedding@0.1.0" (instance $text-embedding))
)
